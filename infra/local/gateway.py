"""MiniStack's application behind a door that counts the loopback as TLS.

AWS's side refuses plain HTTP in the policies of queues, bucket and topic, and these are to be the
same here. So each request says that it came by TLS, as a proxy says that has ended it; MiniStack
reads `aws:SecureTransport` from that.

It is run by its path, and needs nothing of this project: the home that it runs in, and the
functions that inherit its environment, have no part in where modules are found.
"""

import asyncio
import resource
import socket
import sys
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config
from ministack.app import app as ministack

KEEP_ALIVE_S = 75
"""As MiniStack's own server keeps connections."""

_BY = b"x-forwarded-proto"


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Pass a request on, as one that came by TLS whatever it says itself."""
    if scope["type"] == "http":
        others = [header for header in scope["headers"] if header[0] != _BY]
        scope = {**scope, "headers": [*others, (_BY, b"https")]}
    await ministack(scope, receive, send)


def main(host: str, port: int) -> None:
    """Serve until SIGTERM, which saves MiniStack's state.

    Raises:
        OSError: The port is busy. Nothing was started then, no schedule either.
    """
    _allow_open_files()
    config = Config()
    config.keep_alive_timeout = KEEP_ALIVE_S
    with socket.create_server((host, port)) as listening:
        config.bind = [f"fd://{listening.fileno()}"]
        asyncio.run(serve(app, config))


def _allow_open_files() -> None:
    """Lift the limit to the highest allowed, as MiniStack's own server does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
