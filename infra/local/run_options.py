"""The options of one run of the local cloud, and the configuration that follows from them."""

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from infra.cdk.config import PipelineConfig, load
from infra.local.memory import Memory
from infra.local.ports import HOST, Ports
from infra.local.state import REPOSITORY
from infra.local.time_zone import machine_zone


class RunOptions(BaseModel):
    """The options of one run of the local cloud.

    A URL replaces a simulator by a real service. `context` goes to CDK as `-c name=value` and
    overrides all other options. If `empty`, nothing is ingested automatically: no polls, no sample
    history. `time_zone` is the machine's; it is stored here because a background process does not
    inherit the environment variables that set it.
    """

    model_config = ConfigDict(frozen=True)

    empty: bool = False
    spotify_api_url: str | None = None
    spotify_accounts_url: str | None = None
    reccobeats_url: str | None = None
    context: dict[str, str] = {}
    time_zone: str | None = Field(default_factory=machine_zone)

    def within(self, memory: Memory) -> Self:
        """Return these options, adjusted to the settings stored in a home directory.

        The listeners chosen with `plays listener` apply unless these options name others. A cloud
        that polls the real Spotify continues to poll it. A home directory created with `--empty`
        stays without simulated plays.
        """
        options = self
        if memory.listeners:
            context = {"listeners": ",".join(memory.listeners)} | self.context
            options = self.model_copy(update={"context": context})
        if memory.real_spotify:
            return options.at_real_spotify()
        if memory.empty and self.simulated_listener:
            return options.model_copy(update={"empty": True})
        return options

    def at_real_spotify(self) -> Self:
        """Return these options with the real services in place of the simulators."""
        real = PipelineConfig()
        return self.model_copy(
            update={
                "spotify_api_url": self.spotify_api_url or real.spotify_api_url,
                "spotify_accounts_url": self.spotify_accounts_url or real.spotify_accounts_url,
                # The simulated source does not know real tracks.
                "reccobeats_url": self.reccobeats_url or real.reccobeats_url,
            }
        )

    @property
    def simulated_listener(self) -> bool:
        """True if polls go to the simulated Spotify, which needs no person's login."""
        return not (self.spotify_api_url or self.spotify_accounts_url)

    @property
    def simulators(self) -> bool:
        """True unless the URLs of real services replace all simulators."""
        return not (self.spotify_api_url and self.spotify_accounts_url and self.reccobeats_url)

    def deployment(self, ports: Ports) -> dict[str, str]:
        """Return the CDK context (`-c name=value`) of a deployment with these options."""
        spotify = f"http://{HOST}:{ports.spotify}"
        # The simulator is polled every minute, which would be too often for the real Spotify.
        pace = (
            {} if self.simulated_listener else {"poll_minutes": str(PipelineConfig().poll_minutes)}
        )
        return {
            "target": "local",
            "polling_enabled": str(not self.empty).lower(),
            "spotify_api_url": self.spotify_api_url or spotify,
            "spotify_accounts_url": self.spotify_accounts_url or spotify,
            "reccobeats_url": self.reccobeats_url or f"http://{HOST}:{ports.reccobeats}",
            **pace,
            **self.context,
        }


def configuration(context: dict[str, str]) -> PipelineConfig:
    """Read the configuration as `app.py` will: `cdk.json`, overridden by a context.

    Raises:
        SettingsError: A value is unknown or wrong.
    """
    common: dict[str, Any] = json.loads((REPOSITORY / "cdk.json").read_bytes())["context"]
    return load(common | context)
