"""An HTTP server on 127.0.0.1 that receives the consent page's redirect for one login.

Each connection has its own thread, so that silent or slow clients delay neither the answer nor the
timeout.
"""

import errno
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn

from cli.errors import CommandError
from cli.login.pkce import HOST, PATH, ConsentAnswer, redirect_uri
from infra.local.loopback import is_named

READ_TIMEOUT_S = 2
"""Browsers open spare connections on which they send nothing."""

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
ALLOWED = "Spotify said yes", "Continue in the terminal. You can close this page."
REFUSED = (
    "Spotify said no",
    "No login was stored. See the terminal for details; you can close this page.",
)
OTHER_LOGIN = (
    "Another login",
    "This address belongs to another login. Use the page that was opened last, or start again.",
)
FOREIGN = (
    "Refused",
    "Only redirects from Spotify are accepted, not requests from other pages.",
)
UNKNOWN = "Not found", "Only the answer to <code>plays login</code> is received here."


class CallbackServer(ThreadingMixIn, TCPServer):
    """Listens on 127.0.0.1 only; `handle_request` accepts one connection and returns at once.

    `answer` is set after the browser has been sent the page that confirms it.

    Args:
        port: The port in the redirect URI.
        read: Parses the query of a redirect; returns None if it belongs to another login.

    Raises:
        CommandError: The port cannot be used.
    """

    # Connections of the last login may linger.
    allow_reuse_address = True
    # A slow client must not keep the process alive.
    daemon_threads = True

    def __init__(self, port: int, read: Callable[[str], ConsentAnswer | None]) -> None:
        self.read = read
        self.answer: ConsentAnswer | None = None
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise CommandError(_unusable(port, error)) from error


class _Handler(BaseHTTPRequestHandler):
    timeout = READ_TIMEOUT_S
    server: CallbackServer

    def do_GET(self) -> None:
        """Keep the answer in a redirect; reply to any other request with an error page."""
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
            self._show(HTTPStatus.BAD_REQUEST, *OTHER_LOGIN)
            return
        try:
            self._show(HTTPStatus.OK, *(ALLOWED if answer.code else REFUSED))
        finally:
            # Last, because the process may end once it has the answer.
            self.server.answer = answer

    def handle(self) -> None:
        """Handle a request; ignore it if the browser disconnects."""
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

    def log_message(self, *_: object) -> None:
        """Log nothing, because the URL of a redirect contains the authorization code."""


def _unusable(port: int, error: OSError) -> str:
    why = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return (
        f"port {port} {why}: stop what listens there, or choose another with --port, whose "
        f"address must be among the app's redirect URIs as well, such as {redirect_uri(port + 1)} "
        f"(an app with http://{HOST}{PATH}, without a port, accepts any)"
    )
