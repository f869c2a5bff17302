"""Decides which requests are accepted, and limits what a browser may do with a response.

The page has no login: any client that reaches the port can read it. It listens on loopback, so the
threat is another web page in the same browser. There are three attacks: DNS rebinding to 127.0.0.1
(the Host header reveals it), a request from a foreign script (Origin and Sec-Fetch-Site reveal it),
and framing or injected content (the response headers forbid both).

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
    # Plot styles its marks with style attributes, and bars get their width from them.
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
    """Check every request, and set the headers of every response."""
    app.before_request(_check)
    app.after_request(_harden)


def _check() -> None:
    if reason := refusal(request):
        raise Forbidden(reason)


def refusal(asked: Request | Any) -> str | None:
    """Return why a request is refused, and what to do; None if it is allowed."""
    host = asked.headers.get("Host", "")
    if not LOOPBACK.fullmatch(host):
        return "This page answers to 127.0.0.1, localhost and [::1] only. Open it by one of them."
    origin = asked.headers.get("Origin")
    is_foreign = origin is not None and origin != f"http://{host}"
    # A page on another loopback port counts as the same site, but may belong to another user.
    if is_foreign or asked.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return "Another website asked for this page. Type its address into the browser instead."
    return None


def _harden(response: Response) -> Response:
    response.headers.update(HEADERS)
    # Pages hold private data and change with each play. Static files set their own caching.
    response.headers.setdefault("Cache-Control", "no-store")
    return response
