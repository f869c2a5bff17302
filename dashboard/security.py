"""Who may ask, and what a browser may do with an answer.

The page has no login: whoever reaches the port reads it. It listens on loopback, so the danger is
another web page in the same browser, by three ways: a name of its own that resolves to
127.0.0.1 (the Host header gives it away), a request from its scripts (Origin, Sec-Fetch-Site), and
content of ours within theirs, or theirs within ours (the headers of the answer).

Source:
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
"""

import re
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import Forbidden

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}", re.ASCII)

POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    # Plot styles its marks, and bars get their width, by style attributes.
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
)
HEADERS = {
    "Content-Security-Policy": "; ".join(POLICY),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def protect(app: Flask) -> None:
    """Check every request, and put the headers on every answer."""
    app.before_request(_check)
    app.after_request(_harden)


def _check() -> None:
    if reason := refusal(request):
        raise Forbidden(reason)


def refusal(asked: Request | Any) -> str | None:
    """Return why a request is refused; None if it is not."""
    host = asked.headers.get("Host", "")
    if not LOOPBACK.fullmatch(host):
        return "This page answers to 127.0.0.1, localhost and [::1] only. Open it by one of them."
    origin = asked.headers.get("Origin")
    is_foreign = origin is not None and origin != f"http://{host}"
    # A page on another port of the loopback is of the same site, and may be another user's.
    if is_foreign or asked.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return "Another website asked for this page. Type its address into the browser instead."
    return None


def _harden(response: Response) -> Response:
    response.headers.update(HEADERS)
    # Pages hold private data, and change with each play; static files say otherwise themselves.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
