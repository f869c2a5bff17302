"""The TCP ports of a local cloud, all on 127.0.0.1."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

HOST = "127.0.0.1"
NEXT = 10
"""How many ports, starting at a server's default, are tried before a random one."""


class Ports(BaseModel):
    """The port on which each server listens."""

    model_config = ConfigDict(frozen=True)

    aws: int = 4566
    postgres: int = 54329
    spotify: int = 8701
    reccobeats: int = 8702
    page: int = 8100

    @property
    def aws_endpoint(self) -> str:
        """The URL at which all AWS services of the local cloud answer."""
        return f"http://{HOST}:{self.aws}"

    @property
    def page_url(self) -> str:
        """The URL of the dashboard page."""
        return f"http://{HOST}:{self.page}/"


def choose(wanted: Ports, say: Callable[[str], None]) -> Ports:
    """Return a free port for each server: the wanted one unless it is busy.

    If it is busy, take the first free one of ten ports from the server's default on, else a random
    one.

    Args:
        wanted: The ports of the last run, kept because stacks and bookmarks contain them.
        say: Receives a line for each wanted port that is busy.
    """
    chosen: dict[str, int] = {}
    for name, port in wanted:
        usual = getattr(Ports(), name)
        candidates = (port, *range(usual, usual + NEXT))
        others = {*wanted.model_dump().values()} - {port}
        taken = others.union(chosen.values())
        free = (c for c in candidates if c not in taken and is_free(c))
        chosen[name] = next(free, None) or any_free()
        if chosen[name] != port:
            say(f"port {port} is busy: {name} takes {chosen[name]}")
    return Ports.model_validate(chosen)


def is_free(port: int) -> bool:
    """True if a server could listen on a port now."""
    with socket.socket() as probe:
        # As servers do, so that a connection that has just ended does not make a port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
        return True


def any_free() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def no_other_start() -> Iterator[None]:
    """Hold a lock so that no other local cloud of this clone starts during the block.

    Between choosing ports and listening on them, another start could take the same ports.
    """
    file = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def answers(port: int) -> bool:
    """True if a server listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
