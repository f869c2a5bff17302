"""MiniStack's application behind a door that counts the loopback as TLS.

AWS's side refuses plain HTTP in the policies of queues, bucket and topic, and these are to be the
same here. So each request says that it came by TLS, as a proxy says that has ended it; MiniStack
reads `aws:SecureTransport` from that.
"""

import asyncio
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app as ministack

KEEP_ALIVE_S = 75
"""As MiniStack's own server keeps connections."""

_BY_TLS = (b"x-forwarded-proto", b"https")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Pass a request on, as one that came by TLS."""
    if scope["type"] == "http":
        scope = {**scope, "headers": [*scope["headers"], _BY_TLS]}
    await ministack(scope, receive, send)


def main(address: str) -> None:
    """Serve on HOST:PORT until SIGTERM, which saves MiniStack's state."""
    config = Config()
    config.bind = [address]
    config.keep_alive_timeout = KEEP_ALIVE_S
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(sys.argv[1])
