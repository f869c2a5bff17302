"""Where the browser brings the answer: a server on the loopback for one login.

It serves the callback and nothing else. Each connection has its own thread, so that one on which
nothing comes, or a byte a second, holds up neither the answer nor the end of the wait for it.
"""

import errno
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn

from cli.errors import CommandError
from cli.login.consent import HOST, PATH, Answer, redirect_uri
from infra.local.loopback import is_named

SILENCE_S = 2
"""A browser may open connections on which it then asks nothing."""

HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>plays login</title>
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto">
<h1 style="font-size: 1.5rem">{title}</h1><p>{text}</p></body></html>
"""
ALLOWED = "Spotify said yes", "The terminal goes on from here. You can close this page."
REFUSED = (
    "Spotify said no",
    "No login was stored. The terminal tells more; you can close this page.",
)
STRANGE = (
    "Not the login that is under way",
    "This address is of another login. Go on with the page that was opened last, or start again.",
)
FOREIGN = (
    "Refused",
    "Only a browser that Spotify sends here is answered, and no other page's request.",
)
UNKNOWN = "Nothing here", "Only the answer to <code>plays login</code> is received here."


class CallbackServer(ThreadingMixIn, TCPServer):
    """Listens on 127.0.0.1 alone; `handle_request` accepts a connection and returns at once.

    `answer` keeps what came, and is set once the browser has its page.

    Args:
        port: Where the redirect URI points to.
        read: Reads the query of a redirect; None for one that answers another question.

    Raises:
        CommandError: The port cannot be used.
    """

    # The last login's connections may linger.
    allow_reuse_address = True
    # A slow client must not keep the process alive.
    daemon_threads = True

    def __init__(self, port: int, read: Callable[[str], Answer | None]) -> None:
        self.read = read
        self.answer: Answer | None = None
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise CommandError(_unusable(port, error)) from error


class _Handler(BaseHTTPRequestHandler):
    timeout = SILENCE_S
    server: CallbackServer

    def do_GET(self) -> None:
        """Receive the answer, or say that this is none; a favicon is none, too."""
        port = self.server.server_address[1]
        if "Origin" in self.headers or not is_named(self.headers["Host"], port):
            self._show(HTTPStatus.FORBIDDEN, *FOREIGN)
            return
        path, _, query = self.path.partition("?")
        if path != PATH:
            self._show(HTTPStatus.NOT_FOUND, *UNKNOWN)
            return
        answer = self.server.read(query)
        if answer is None:
            self._show(HTTPStatus.BAD_REQUEST, *STRANGE)
            return
        try:
            self._show(HTTPStatus.OK, *(ALLOWED if answer.code else REFUSED))
        finally:
            # Last, for the process may end once it has the answer.
            self.server.answer = answer

    def handle(self) -> None:
        """Handle a request; that the browser hangs up takes nothing from what it said."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def _show(self, status: HTTPStatus, title: str, text: str) -> None:
        body = PAGE.format(title=title, text=text).encode()
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        """Say nothing of Python."""
        return "plays"

    def log_message(self, *_: object) -> None:
        """Write nothing: the request holds the code."""


def _unusable(port: int, error: OSError) -> str:
    why = "busy" if error.errno == errno.EADDRINUSE else f"not to be had ({error.strerror})"
    return (
        f"port {port} is {why}: end what listens there, or take another one with --port, whose "
        f"address must be among the app's redirect URIs as well, such as {redirect_uri(port + 1)} "
        f"(an app with http://{HOST}{PATH}, without a port, admits any)"
    )
