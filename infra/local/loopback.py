"""Requests to a server on the loopback that a web page sent, or that came under another name.

Any page that a browser shows may send requests to this machine, and a name that resolves to the
loopback makes them look as if they were of one origin. `Origin`, `Sec-Fetch-*` and `Host` show the
difference, because a page can neither omit nor forge them. ADR 14 says who is kept out.
"""

from collections.abc import Mapping

HTTP_PORT = 80
NAMES = ("127.0.0.1", "localhost", "[::1]")


def is_named(host: str | None, port: int) -> bool:
    """True if a request names the loopback with the port that it came to."""
    # Browsers leave out the port that HTTP has by default.
    return host in [f"{name}:{port}" for name in NAMES] or (port == HTTP_PORT and host in NAMES)


def is_of_a_page(headers: Mapping[str, str], method: str) -> bool:
    """True if a page sent a request, except if it let the browser open another page by a link.

    Args:
        headers: Of the request, by lower-case name.
        method: Of the request.
    """
    if "origin" in headers:
        return True
    if "sec-fetch-site" not in headers:
        return False
    is_opened = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return method != "GET" or is_opened != ("navigate", "document")
