"""Spotify's own audio features and popularity, for apps that still have access.

Apps created since 27 November 2024, and older ones in development mode, get a 403. It is stored
for a day, in which every container asks the next source instead. To ask Spotify earlier, delete
the app's item from the table `spotify-app`. A 403 of `tracks` alone, which apps in development
mode get since 2026, costs just the popularity: this container skips that call for a day.

Source:
    https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
    https://developer.spotify.com/documentation/web-api/references/changes/february-2026
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from services.enricher.domain.features import AUDIO_FEATURES, read_features
from services.enricher.sources.source import Answer, CallForbiddenError
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.errors import FeatureSourceError
from shared.spotify.api import SpotifyApi
from shared.spotify.catalogue_wire import Row
from shared.spotify.rate_limits import FORBIDDEN_WAIT
from shared.telemetry import logger

NAME = "spotify"


class SpotifyFeatures:
    """A client of Spotify's two batch calls: audio features, and tracks."""

    def __init__(self, api: SpotifyApi, calls: SpotifyCalls, now: Callable[[], datetime]) -> None:
        self._api = api
        self._calls = calls
        self._now = now
        self._tracks_forbidden_until: datetime | None = None

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks, in two calls; if the first fails, the second is not made."""
        ids = [uri.rpartition(":")[2] for uri in track_uris]
        try:
            audios = self._calls.make(
                lambda token: self._api.audio_features(token, ids), forbids_all=True
            )
        except FeatureSourceError as error:
            return Answer(failure=error)
        tracks, failure = self._tracks(ids)
        fetched_at = self._now()
        known = (
            read_features(uri, NAME, fetched_at, _values(audio, track))
            for uri, audio, track in zip(track_uris, audios, tracks, strict=True)
        )
        return Answer.about(track_uris, known, failure)

    def _tracks(self, ids: Sequence[str]) -> tuple[list[Row], FeatureSourceError | None]:
        """Ask for popularity, unless Spotify has forbidden this call within the last day."""
        unknown: list[Row] = [{}] * len(ids)
        forbidden_until = self._tracks_forbidden_until
        if forbidden_until is not None and self._now() < forbidden_until:
            return unknown, None
        try:
            return self._calls.make(lambda token: self._api.tracks(token, ids)), None
        except CallForbiddenError as error:
            self._tracks_forbidden_until = self._now() + FORBIDDEN_WAIT
            logger.warning(
                "feature source gives no popularity", extra={"source": NAME, "reason": str(error)}
            )
            return unknown, None
        except FeatureSourceError as error:
            return unknown, error


def _values(audio: Row, track: Row) -> dict[str, Any]:
    """Combine a track's rows of both calls into values under the field names of `TrackFeatures`."""
    values = {name: audio.get(name) for name in AUDIO_FEATURES}
    values["duration_ms"] = track.get("duration_ms") or audio.get("duration_ms")
    values["popularity"] = track.get("popularity")
    return values
