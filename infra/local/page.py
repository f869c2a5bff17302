"""How the process that serves the page is started: `python -m cli.page`.

It gets its source in the environment, because a command line is for every user to read. What this
file imports is part of that process, which has to be small: no boto3.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from shared.postgres import Address

VARIABLE = "PLAYS_PAGE_SOURCE"
REPOSITORY = Path(__file__).parents[2]


class Source(BaseModel):
    """Where the page finds its numbers."""

    model_config = ConfigDict(frozen=True)

    options: tuple[str, ...]
    """Those of `plays` that name the cloud: it is asked for queues and logins."""
    address: Address | None = None
    """Of Postgres, as role reader."""
    function: str | None = None
    """Without an address: the name of the function that reads Postgres on AWS."""
    memory: Path | None = None
    """The file in which a local cloud remembers whose plays are simulated."""

    def simulated(self) -> frozenset[str]:
        """Return the listeners whose history holds simulated plays; a poll may add one."""
        if self.memory is None or not self.memory.exists():
            return frozenset()
        return frozenset(json.loads(self.memory.read_bytes()).get("simulated", ()))


def command(*options: str) -> list[str]:
    """Return the command; `python -m cli.page --help` lists its options."""
    # -P, because the folder that it is started in may hold modules of the same names.
    return [sys.executable, "-P", "-m", "cli.page", *options]


def environment(source: Source, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the process."""
    return {
        **inherited,
        "PYTHONPATH": str(REPOSITORY),
        VARIABLE: source.model_dump_json(),
    }
