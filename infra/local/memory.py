"""What a home remembers from one run to the next: `memory.json`, for its owner's eyes alone."""

import secrets
import string
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from infra.local.aws import LocalAws
from infra.local.ports import Ports
from infra.local.state import write_private

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
    access_key: str = Field(default_factory=_access_key, repr=False)
    """Of AWS's administrator; a home of an earlier release gets one at its next start."""
    deployed: bool = True
    """Whether the first deployment is through, and saved. A home is new while it is not."""
    crashed: bool = False
    """Whether AWS may have forgotten uploads that nobody has reminded it of yet."""
    empty: bool = False
    """Whether it began with --empty, so that nothing simulated may join what a person loads."""
    sampled: bool = False
    """Whether the sample history went in already."""
    real_spotify: bool = False
    """Whether somebody logged in at the real Spotify, so that no simulator stands in for it."""

    @property
    def aws(self) -> LocalAws:
        """AWS as its administrator reaches it."""
        return LocalAws(self.ports.aws_endpoint, self.access_key)

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read what a home remembers; a new one has fresh passwords."""
        try:
            return cls.model_validate_json((home / FILE).read_bytes())
        except FileNotFoundError:
            return cls(deployed=False)

    def save(self, home: Path) -> None:
        """Remember."""
        write_private(home / FILE, self.model_dump_json(indent=2) + "\n")
