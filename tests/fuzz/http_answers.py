"""HTTP answers, byte for byte, and the client that reads them from a socket."""

import gzip
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from unittest.mock import patch

import requests
import urllib3

from shared.spotify.api import open_session
from tests.fuzz.harness import Read
from tests.fuzz.retry_after import EXAMPLES as WAITS
from tests.fuzz.tape import Tape, changed, changed_json

SECRET = "AQ-secret-of-the-answer-0123456789"  # noqa: S105 - of no account
STATUSES = (400, 401, 403, 404, 414, 422, 429, 429, 500, 503, 204, 206, 302, 304, 100, 101, 199,
            299, 600, 999)  # fmt: skip
ERRORS: list[Any] = [
    {"error": {"status": 403, "message": "Forbidden"}},
    {"error": {"status": 429, "message": "API rate limit exceeded", "reason": "QUOTA_EXCEEDED"}},
    {"error": "invalid_grant", "error_description": "Refresh token revoked"},
    {"error": "invalid_client"},
    {"error": {"message": f"Bearer {SECRET} is unknown"}},
    {"error_description": SECRET, "error": SECRET},
    "Too many requests",
]


class Connections:
    """Opens connections on which the answer has arrived before the request."""

    def __init__(self) -> None:
        self.answer = b""
        self._other: socket.socket | None = None

    def __call__(self, *_: Any, **__: Any) -> socket.socket:
        """Return a connection as urllib3 opens one; the end of the answer closes it."""
        self.close()
        ours, self._other = socket.socketpair()
        self._other.settimeout(0)
        # An answer that is longer than the buffer of a socket is cut off.
        with suppress(BlockingIOError):
            self._other.sendall(self.answer)
        self._other.shutdown(socket.SHUT_WR)
        ours.settimeout(1)
        return ours

    def close(self) -> None:
        if self._other:
            self._other.close()


def asking(ask: Callable[[requests.Session], None]) -> Callable[[], AbstractContextManager[Read]]:
    """Return the `open` of a reader that gets its input as the answer to each request."""

    @contextmanager
    def opened() -> Iterator[Read]:
        connections = Connections()
        with open_session() as session, patch.object(
            urllib3.util.connection, "create_connection", connections
        ):  # fmt: skip
            # Ignore the proxy settings of this machine.
            session.trust_env = False

            def read(content: bytes) -> None:
                connections.answer = content
                ask(session)

            yield read
        connections.close()

    return opened


def an_answer(tape: Tape, value: Any) -> bytes:
    """Return an HTTP answer with a value, mostly changed, or with an error."""
    status = 200 if tape.below(4) else tape.one_of(STATUSES)
    body = changed_json(tape, value if status == 200 or tape.below(4) == 0 else tape.one_of(ERRORS))
    head = b"HTTP/1.1 %d A reason\r\nContent-Type: application/json\r\n" % status
    if status == 429 or tape.below(16) == 0:
        head += b"Retry-After: " + tape.one_of(WAITS) + b"\r\n"
    if tape.below(8) == 0:
        body = changed(tape, gzip.compress(body, mtime=0), 2)
        head += b"Content-Encoding: gzip\r\n"
    if tape.below(8) == 0:
        cut = tape.below(len(body) + 1)
        parts = (b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
        body = b"".join(parts) + b"0\r\n\r\n"
        head += b"Transfer-Encoding: chunked\r\n"
    elif tape.below(8):
        length = len(body) if tape.below(8) else tape.below(1 << 16)
        head += b"Content-Length: %d\r\n" % length
    if tape.below(8) == 0:
        head = changed(tape, head, 2)
    return head + b"\r\n" + body
