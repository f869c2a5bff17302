"""MiniStack's application behind a door that counts the loopback as TLS.

AWS's side refuses plain HTTP in the policies of queues, bucket and topic, and these are to be the
same here. So each request says that it came by TLS, as a proxy says that has ended it; MiniStack
reads `aws:SecureTransport` from that.

It is run by its path, and needs nothing of this project: the home that it runs in, and the
functions that inherit its environment, have no part in where modules are found.
"""

import os
import resource
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn

_PORT = os.environ["GATEWAY_PORT"]
# MiniStack keeps a queue under a URL with the port that it was on, which its functions are to find
# when it comes up on another one: the name keeps one port, wherever it is served.
os.environ["GATEWAY_PORT"] = "4566"
from ministack.services import sqs  # noqa: E402, F401 - it reads the port now

os.environ["GATEWAY_PORT"] = _PORT
from ministack.app import app as ministack  # noqa: E402 - after the queues

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

    By uvicorn, parsing in C: a load of 100,000 plays takes 7 % less than by MiniStack's own server.

    Raises:
        OSError: The port is busy. Nothing was started then, no schedule either.
    """
    _allow_open_files()
    with socket.create_server((host, port)):
        pass
    uvicorn.run(
        app,
        host=host,
        port=port,
        http="httptools",
        loop="uvloop",
        access_log=False,
        # MiniStack tells these itself, and of two dates the CDK's command line makes none.
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def _allow_open_files() -> None:
    """Lift the limit to the highest allowed, as MiniStack's own server does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS tells of a limit that it then refuses; what was allowed before serves few clients, too.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
