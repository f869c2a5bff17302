"""A TCP proxy on the loopback whose connections can be refused, stalled or cut."""

import socket
import threading
import time
from contextlib import suppress
from typing import Literal

HOST = "127.0.0.1"
CHUNK = 65_536
STALL_POLL_S = 0.05

Mode = Literal["pass", "refuse", "stall"]


class Proxy:
    """Forwards connections to a port of this machine.

    `mode` changes at any time: `refuse` resets new connections, `stall` holds all bytes back until
    the mode changes.
    """

    def __init__(self) -> None:
        self.target = 0
        self.mode: Mode = "pass"
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset all open connections."""
        for end in list(self._open):
            _reset(end)

    def close(self) -> None:
        """Stop listening, and reset all connections."""
        self.mode = "refuse"
        # A close alone does not wake the thread that waits in `accept`.
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def _accept(self) -> None:
        # The server's socket is closed at the end.
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.mode == "refuse":
                raise ConnectionRefusedError
            server = socket.create_connection((HOST, self.target))
        except OSError:
            _reset(client)
            client.close()
            return
        self._open |= {client, server}
        back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
        back.start()
        self._copy(client, server)
        back.join()
        self._open -= {client, server}
        client.close()
        server.close()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        # Either end may be reset at any time; the other is then closed too.
        with suppress(OSError):
            while data := source.recv(CHUNK):
                while self.mode == "stall":
                    time.sleep(STALL_POLL_S)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


def _reset(end: socket.socket) -> None:
    """Close a connection with a reset, as a crash does, and wake the threads that wait for it."""
    linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        end.shutdown(socket.SHUT_RDWR)
