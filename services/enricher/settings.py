"""The environment variables of the enricher and the healer."""

from typing import Annotated

from pydantic import Field

from shared.settings import Settings

Url = Annotated[str, Field(pattern=r"^https?://")]


class EnricherSettings(Settings):
    """The environment variables of the enricher."""

    enriched_plays_queue_url: str
    track_cache_table: str
    feature_sources: str
    """Comma-separated names of the sources, in the order in which they are asked."""
    reccobeats_url: Url
    spotify_api_url: Url
    spotify_accounts_url: Url
    spotify_app_table: str
    spotify_app_secret: str
    """Name of the secret with the Spotify app to call as; empty if Spotify is not asked."""
    spotify_daily_calls: Annotated[int, Field(ge=1)]
    """Most calls to Spotify for features in a day, by enricher and healer together."""

    @property
    def source_names(self) -> list[str]:
        """The names in `feature_sources`, in order; if there are none, no source is asked."""
        return [name.strip() for name in self.feature_sources.split(",") if name.strip()]


class HealerSettings(EnricherSettings):
    """The environment variables of the healer."""

    tracks_per_healing: Annotated[int, Field(ge=1)]
    """Most tracks that one healing asks for."""
