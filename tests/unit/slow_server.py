"""A real server that sends an answer piece by piece, for as long as somebody reads."""

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, repeat
from threading import Event, Thread

PATIENCE_S = 5
"""No thread of the server outlives its test by more."""


@dataclass
class SlowServer:
    """Sends the pieces of an answer, `pause_s` apart; the connection stays if `keeps` is set."""

    url: str
    pieces: Callable[[], Iterable[bytes]] = lambda: ()
    pause_s: float = 0
    keeps: bool = False
    connections: int = 0
    gave_up: Event = field(default_factory=Event)
    """Set when the client closed a connection before its answer was sent."""
    _stopped: Event = field(default_factory=Event)

    def serve(self, listening: socket.socket) -> None:
        threads = []
        while not self._stopped.is_set():
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                continue
            self.connections += 1
            threads.append(Thread(target=self._converse, args=(connection,)))
            threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE_S)

    def stop(self) -> None:
        self._stopped.set()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        with connection:
            try:
                while connection.recv(65_536) and self._answer(connection) and self.keeps:
                    pass
            except OSError:
                self.gave_up.set()

    def _answer(self, connection: socket.socket) -> bool:
        for piece in self.pieces():
            connection.sendall(piece)
            if self._stopped.wait(self.pause_s):
                return False
        return True


@contextmanager
def a_slow_server() -> Iterator[SlowServer]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.05)
        server = SlowServer(f"http://127.0.0.1:{listening.getsockname()[1]}")
        thread = Thread(target=server.serve, args=(listening,))
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()


def head(length: int | None = None, **headers: str) -> bytes:
    """Begin an answer; without a length it ends with its connection, if it ends."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if length is not None:
        named["Content-Length"] = str(length)
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()


def trickling(body: bytes = b" ") -> Iterable[bytes]:
    """Give an answer that never ends, byte by byte."""
    letters = repeat(body)
    return chain([head(10**12)], (bytes([one]) for text in letters for one in text))


def endless() -> Iterable[bytes]:
    """Give an answer that never ends, as fast as it is read."""
    return chain([head()], repeat(b" " * 65_536))


def chunk(body: bytes) -> bytes:
    """Wrap a chunk of a body that does not tell its length."""
    return f"{len(body):x}\r\n".encode() + body + b"\r\n"
