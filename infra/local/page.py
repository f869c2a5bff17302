"""Command and environment of the process that serves the web page: `python -m cli.page`.

An environment variable passes the database address, because every user can read a command line.
That process imports this file and must stay small, so do not import boto3 here.
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
    """The database and the target (AWS or local cloud) whose data the web page shows."""

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
        """Return the listeners with simulated plays, as the local cloud's `memory.json` names them.

        The file is read at each call. Empty if the page shows AWS.
        """
        if self.memory is None or not self.memory.exists():
            return frozenset()
        return frozenset(json.loads(self.memory.read_bytes()).get("simulated", ()))


def command(*options: str) -> list[str]:
    """Return the command that serves the web page; see `python -m cli.page --help` for options."""
    # -P, because the working directory may contain modules with the same names.
    return [sys.executable, "-P", "-m", "cli.page", *options]


def environment(source: Source, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables of the process that serves the web page."""
    return {
        **inherited,
        "PYTHONPATH": str(REPOSITORY),
        VARIABLE: source.model_dump_json(),
    }
