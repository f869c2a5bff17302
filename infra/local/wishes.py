"""What a person may ask of a local cloud, and how it reaches the deployment."""

import json
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from infra.cdk.config import PipelineConfig, load
from infra.local.ports import HOST, Ports
from infra.local.state import REPOSITORY


class Wishes(BaseModel):
    """What one run of the local cloud is like.

    A given URL replaces a simulator; `context` goes to CDK as `-c name=value` and wins over all.
    An `empty` cloud ingests nothing by itself: no polls, no sample history. `time_zone` is that of
    the machine: what runs in the background does not see its variables.
    """

    model_config = ConfigDict(frozen=True)

    empty: bool = False
    spotify_api_url: str | None = None
    spotify_accounts_url: str | None = None
    reccobeats_url: str | None = None
    context: dict[str, str] = {}
    time_zone: str | None = None

    def at_real_spotify(self) -> Self:
        """Name the real services wherever nobody named others."""
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
        """Whether the plays come from the simulator, to which nobody need log in."""
        return not (self.spotify_api_url or self.spotify_accounts_url)

    @property
    def simulators(self) -> bool:
        """Whether any simulator is needed."""
        return not (self.spotify_api_url and self.spotify_accounts_url and self.reccobeats_url)

    def deployment(self, ports: Ports) -> dict[str, str]:
        """Spell the CDK context of the deployment."""
        spotify = f"http://{HOST}:{ports.spotify}"
        # Every minute, as a simulator is polled, would be too much for the real Spotify.
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
    """Read the configuration that CDK will read: `cdk.json` and a context on top.

    Raises:
        SettingsError: A value is unknown or wrong.
    """
    common: dict[str, Any] = json.loads((REPOSITORY / "cdk.json").read_bytes())["context"]
    return load(common | context)
