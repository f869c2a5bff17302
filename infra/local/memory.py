"""The settings that a local cloud keeps between runs: `memory.json` in its home directory.

Only the user who runs the local cloud can read the file.
"""

import secrets
import shutil
import string
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from infra.cdk.database import DATABASE
from infra.local.aws import LocalAws
from infra.local.ports import HOST, Ports
from infra.local.state import write_private
from shared.postgres import Address

FILE = "memory.json"

INGESTED = (
    *("ministack", "s3", "tmp", "unsaved"),
    *("postgres", "postgres.new", "postgres.stopped"),
    *("outputs.json", "sample-history.zip"),
)
"""The files and folders of a home directory that hold plays, logins, or their stacks."""


def _password() -> str:
    return secrets.token_urlsafe(24)


def _access_key() -> str:
    """Return a random access key id in AWS's format, with 83 random bits."""
    return "AKIA" + "".join(
        secrets.choice(string.ascii_uppercase + string.digits) for _ in range(16)
    )


class Memory(BaseModel):
    """Ports, passwords, an access key, the progress of the first start, and the plays' source."""

    model_config = ConfigDict(frozen=True)

    ports: Ports = Ports()
    migrator_password: str = Field(default_factory=_password, repr=False)
    loader_password: str = Field(default_factory=_password, repr=False)
    reader_password: str = Field(default_factory=_password, repr=False)
    report_reader_password: str = Field(default_factory=_password, repr=False)
    access_key: str = Field(default_factory=_access_key, repr=False)
    """The access key id of AWS's administrator."""
    deployed: bool = True
    """True once the first deployment is saved. Until then the next start deletes all plays, logins
    and stacks, and deploys anew."""
    crashed: bool = False
    """True if MiniStack crashed and lost its queues, and this has not been printed yet."""
    empty: bool = False
    """True if the home directory was created with --empty, for a person's own plays: simulated
    plays are not added without their consent."""
    sampled: bool = False
    """True once the sample history is uploaded."""
    real_spotify: bool = False
    """True if the collector polls the real Spotify, after a login there or because the home
    directory was created with URLs in place of the simulator. It never returns to the simulator."""
    simulated: frozenset[str] = frozenset()
    """The listeners whose history holds simulated plays, or soon will."""
    listeners: tuple[str, ...] = ()
    """The listeners that `plays listener` has chosen; empty: those of `cdk.json`."""
    plays: int | None = None
    """Rows of plays at the last clean stop; None if they could not be counted."""

    @property
    def aws(self) -> LocalAws:
        """The endpoint of the local AWS, and the id of its administrator's key."""
        return LocalAws(self.ports.aws_endpoint, self.access_key)

    @property
    def database(self) -> Address:
        """The address of Postgres, with the login of role `reader`."""
        return Address(HOST, self.ports.postgres, DATABASE, "reader", self.reader_password)

    @classmethod
    def load(cls, home: Path) -> "Memory":
        """Read `memory.json` of a home directory; a new directory gets random passwords."""
        try:
            return cls.model_validate_json((home / FILE).read_bytes())
        except FileNotFoundError:
            return cls(deployed=False)

    @property
    def is_outdated(self) -> bool:
        """True if the file is from before 2026-11-29: it does not say whose plays are simulated."""
        return self.deployed and "simulated" not in self.model_fields_set

    def save(self, home: Path) -> None:
        """Write the file atomically."""
        write_private(home / FILE, self.model_dump_json(indent=2) + "\n")


def delete(home: Path, names: Iterable[str]) -> None:
    """Delete files and folders of a home directory; those that do not exist are ignored."""
    for name in names:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
