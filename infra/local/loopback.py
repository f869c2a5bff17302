"""Detect requests to the loopback that come from a web page, or under a foreign host name.

Any page in a browser may send requests to this machine, and a host name that resolves to the
loopback makes them same-origin (DNS rebinding). `Origin`, `Sec-Fetch-*` and `Host` reveal both,
because a page can neither omit nor forge them. ADR 14 says who is kept out.
"""

from collections.abc import Mapping

HTTP_PORT = 80
NAMES = ("127.0.0.1", "localhost", "[::1]")


def is_named(host: str | None, port: int) -> bool:
    """True if a Host header names the loopback and the port that received the request."""
    # Browsers leave out HTTP's default port.
    return host in [f"{name}:{port}" for name in NAMES] or (port == HTTP_PORT and host in NAMES)


def is_of_a_page(headers: Mapping[str, str], method: str) -> bool:
    """True if a web page sent a request, except a GET that opens a page in the browser.

    Args:
        headers: The request's headers by lower-case name.
        method: The request's method.
    """
    if "origin" in headers:
        return True
    if "sec-fetch-site" not in headers:
        return False
    is_opened = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method != "GET" or is_opened != ("navigate", "document")
