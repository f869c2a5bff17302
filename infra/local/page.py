"""Command and environment of the process that serves the page: `python -m cli.page`.

The source is passed in the environment, because every user can read a command line. That process
imports this file and must stay small, so do not import boto3 here.
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
    """Where the page reads its data."""

    model_config = ConfigDict(frozen=True)

    options: tuple[str, ...]
    """Options of `plays` that select the cloud whose queues and logins are shown."""
    address: Address | None = None
    """Postgres, for role reader."""
    function: str | None = None
    """If there is no address: the name of the function that reads Postgres on AWS."""
    memory: Path | None = None
    """The file in which a local cloud remembers whose plays are simulated."""

    def simulated(self) -> frozenset[str]:
        """Return the listeners whose history holds simulated plays; a poll may add one."""
        if self.memory is None or not self.memory.exists():
            return frozenset()
        return frozenset(json.loads(self.memory.read_bytes()).get("simulated", ()))


def command(*options: str) -> list[str]:
    """Return the command that serves the page; `python -m cli.page --help` lists its options."""
    # -P, because the working directory may contain modules with the same names.
    return [sys.executable, "-P", "-m", "cli.page", *options]


def environment(source: Source, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the process that serves the page."""
    return {
        **inherited,
        "PYTHONPATH": str(REPOSITORY),
        VARIABLE: source.model_dump_json(),
    }
