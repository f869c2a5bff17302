"""The environment variables of the enricher and the healer."""

from typing import Annotated

from pydantic import Field

from shared.settings import Settings

Url = Annotated[str, Field(pattern=r"^https?://")]


class AskingSettings(Settings):
    """Where what asks for features reads and writes, and whom it asks."""

    enriched_plays_queue_url: str
    track_cache_table: str
    feature_sources: str
    """Names of the sources in the order in which they are asked, comma separated."""
    reccobeats_url: Url
    spotify_api_url: Url
    spotify_accounts_url: Url
    spotify_app_table: str
    spotify_app_secret: str
    """Name of the secret with the app to ask Spotify as; empty if Spotify is not asked."""
    spotify_daily_calls: Annotated[int, Field(ge=1)]
    """How many calls for features Spotify gets in a day, of enrichers and healers together."""

    @property
    def source_names(self) -> list[str]:
        """The names in `feature_sources`; none means that no source is asked."""
        return [name.strip() for name in self.feature_sources.split(",") if name.strip()]


class EnricherSettings(AskingSettings):
    """What asking takes, and how the enricher is fed."""

    messages_per_invocation: Annotated[int, Field(ge=1)]
    """Most messages in one invocation; so many at once tell that more are waiting."""


class HealerSettings(AskingSettings):
    """What asking takes, and how much one healing may do."""

    tracks_per_healing: Annotated[int, Field(ge=1)]
