"""What a home remembers from one run to the next: `memory.json`, for its owner's eyes alone."""

import secrets
import string
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from infra.cdk.database import DATABASE
from infra.local.aws import LocalAws
from infra.local.ports import HOST, Ports
from infra.local.state import write_private
from shared.archive import DEFAULT_LISTENER
from shared.postgres import Address

FILE = "memory.json"


def _password() -> str:
    return secrets.token_urlsafe(24)


def _access_key() -> str:
    """Return the id of a key in AWS's form, with 83 random bits."""
    return "AKIA" + "".join(
        secrets.choice(string.ascii_uppercase + string.digits) for _ in range(16)
    )


class Memory(BaseModel):
    """Ports, passwords and a key, how far the first start came, and whose plays are polled."""

    model_config = ConfigDict(frozen=True)

    ports: Ports = Ports()
    migrator_password: str = Field(default_factory=_password, repr=False)
    loader_password: str = Field(default_factory=_password, repr=False)
    reader_password: str = Field(default_factory=_password, repr=False)
    report_reader_password: str = Field(default_factory=_password, repr=False)
    """A home of an earlier release gets one at its next start."""
    access_key: str = Field(default_factory=_access_key, repr=False)
    """Of AWS's administrator; a home of an earlier release gets one at its next start."""
    deployed: bool = True
    """Whether the first deployment is through, and saved. A home is new while it is not."""
    crashed: bool = False
    """Whether AWS may have forgotten uploads that nobody has reminded it of yet."""
    empty: bool = False
    """Whether it began with --empty, for a person's own plays: nothing simulated is added."""
    sampled: bool = False
    """Whether the sample history went in already."""
    real_spotify: bool = False
    """Whether it is for plays of the real Spotify, because of a login there or since it began with
    URLs in place of the simulator. No simulator stands in for it then."""
    simulated: frozenset[str] = frozenset()
    """The listeners whose history holds simulated plays, or soon will."""
    plays: int | None = None
    """Rows of plays at the last clean stop; None if they could not be counted."""

    @property
    def aws(self) -> LocalAws:
        """AWS as its administrator reaches it."""
        return LocalAws(self.ports.aws_endpoint, self.access_key)

    @property
    def database(self) -> Address:
        """Postgres as role `reader` reaches it."""
        return Address(HOST, self.ports.postgres, DATABASE, "reader", self.reader_password)

    @classmethod
    def load(cls, home: Path) -> "Memory":
        """Read what a home remembers; a new one has fresh passwords."""
        try:
            memory = cls.model_validate_json((home / FILE).read_bytes())
        except FileNotFoundError:
            return cls(deployed=False)
        return memory if "simulated" in memory.model_fields_set else _upgraded(memory, home)

    def save(self, home: Path) -> None:
        """Remember."""
        write_private(home / FILE, self.model_dump_json(indent=2) + "\n")


def _upgraded(memory: Memory, home: Path) -> Memory:
    """Add what an earlier release did not write down, as far as the home shows it."""
    polls = [] if memory.real_spotify else (home / "s3").glob("*/*/polls/*")
    simulated = {path.name for path in polls} | ({DEFAULT_LISTENER} if memory.sampled else set())
    began_empty = memory.deployed and not (memory.sampled or memory.real_spotify)
    return memory.model_copy(
        update={"simulated": frozenset(simulated), "empty": memory.empty or began_empty}
    )
