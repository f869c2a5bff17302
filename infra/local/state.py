"""The state of a running local cloud for other processes: `cloud.json` in its home directory.

The home directory is `PLAYS_LOCAL_DIR`, or `.local` in the repository.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.cdk.config import PipelineConfig
from infra.local.aws import LocalAws
from infra.local.pidfile import holder
from shared.errors import HistoryError

REPOSITORY = Path(__file__).parents[2]
FILE = "cloud.json"
SUPERVISOR = "supervisor.pid"
"""Pid file of the process that runs the local cloud."""


class LocalCloudError(HistoryError):
    """The local cloud is not running, or a part of it failed; the message says what to do."""


class CloudState(BaseModel):
    """A running local cloud: its addresses and keys.

    `pid` is the supervisor's. The database URL is for role `reader`, the report URL for
    `report_reader` (None if an earlier release started the cloud). The AWS keys are the
    administrator's; the random id is the secret. If `simulated`, the cloud polls the simulator;
    after a login it polls `real_spotify_api_url` instead.
    """

    model_config = ConfigDict(frozen=True)

    pid: int
    aws_endpoint: str
    region: str
    access_key: str = Field(repr=False)
    secret_key: str = Field(repr=False)
    bucket: str
    database_url: str = Field(repr=False)
    report_url: str | None = Field(default=None, repr=False)
    spotify_api_url: str
    spotify_accounts_url: str
    reccobeats_url: str
    simulated: bool = False
    real_spotify_api_url: str = PipelineConfig().spotify_api_url
    real_spotify_accounts_url: str = PipelineConfig().spotify_accounts_url
    page_url: str | None = None
    """None if an earlier release, which had no page, started the cloud."""
    log_dir: Path

    @classmethod
    def load(cls, home: Path) -> Self:
        """Read the state of the local cloud that runs in a home directory.

        Raises:
            LocalCloudError: No local cloud runs there, or it is not ready yet.
        """
        try:
            state = cls.model_validate_json((home / FILE).read_bytes())
        except (FileNotFoundError, ValidationError):
            state = None
        supervisor = holder(home / SUPERVISOR)
        if supervisor is not None and not (home / FILE).exists():
            raise LocalCloudError(
                f"the local cloud in {home} is starting or stopping: try again in a minute"
            )
        # A crash leaves the file behind.
        if state is None or supervisor != state.pid:
            raise LocalCloudError(f"no local cloud runs in {home}: start it with `plays local up`")
        return state

    @property
    def aws(self) -> LocalAws:
        """The endpoint of the local AWS, and the id of its administrator's key."""
        return LocalAws(self.aws_endpoint, self.access_key)

    def save(self, home: Path) -> None:
        """Write the state atomically, for other processes to read."""
        write_private(home / FILE, self.model_dump_json(indent=2) + "\n")


def local_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the home directory, in which the local cloud keeps everything."""
    return Path(environment.get("PLAYS_LOCAL_DIR") or REPOSITORY / ".local").resolve()


def write_private(path: Path, text: str) -> None:
    """Replace a file atomically by one that only its owner can read."""
    fresh = path.with_name(f"{path.name}.new")
    # A leftover file would keep its mode.
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
