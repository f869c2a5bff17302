"""Spotify's own audio features and popularity, for apps that still may have them.

Apps made since 27 November 2024, and older ones in development mode, are answered 403. Such a 403
is stored for a day, in which the next source takes the place of this one in every container. To
have Spotify asked earlier, delete the item of the app from the table `spotify-app`. A 403 of
`tracks` alone, which ended for apps in development mode in 2026, costs just the popularity: this
container leaves the call out for a day.

Source:
    https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
    https://developer.spotify.com/documentation/web-api/references/changes/february-2026
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from services.enricher.domain.features import SOUND, told
from services.enricher.sources.source import Answer, CallForbiddenError
from services.enricher.sources.spotify_calls import SpotifyCalls
from shared.errors import FeatureSourceError
from shared.spotify.api import SpotifyApi
from shared.spotify.catalogue_wire import Row
from shared.spotify.rate_limits import FORBIDDEN_WAIT
from shared.telemetry import logger

NAME = "spotify"


class SpotifyFeatures:
    """A client of the two batch calls."""

    def __init__(self, api: SpotifyApi, calls: SpotifyCalls, now: Callable[[], datetime]) -> None:
        self._api = api
        self._calls = calls
        self._now = now
        self._tracks_forbidden_until: datetime | None = None

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks, in two calls; the second only if the first was answered."""
        ids = [uri.rpartition(":")[2] for uri in track_uris]
        try:
            heard = self._calls.make(
                lambda token: self._api.audio_features(token, ids), forbids_all=True
            )
        except FeatureSourceError as error:
            return Answer(failure=error)
        tracks, failure = self._tracks(ids)
        fetched_at = self._now()
        known = (
            told(uri, NAME, fetched_at, _values(sound, track))
            for uri, sound, track in zip(track_uris, heard, tracks, strict=True)
        )
        return Answer.about(track_uris, known, failure)

    def _tracks(self, ids: Sequence[str]) -> tuple[list[Row], FeatureSourceError | None]:
        """Ask for popularity, unless Spotify has forbidden that to this container for now."""
        untold: list[Row] = [{}] * len(ids)
        forbidden_until = self._tracks_forbidden_until
        if forbidden_until is not None and self._now() < forbidden_until:
            return untold, None
        try:
            return self._calls.make(lambda token: self._api.tracks(token, ids)), None
        except CallForbiddenError as error:
            self._tracks_forbidden_until = self._now() + FORBIDDEN_WAIT
            logger.warning(
                "feature source tells no popularity", extra={"source": NAME, "reason": str(error)}
            )
            return untold, None
        except FeatureSourceError as error:
            return untold, error


def _values(sound: Row, track: Row) -> dict[str, Any]:
    """Name the values of a track's two rows as `TrackFeatures` does."""
    values = {name: sound.get(name) for name in SOUND}
    values["duration_ms"] = track.get("duration_ms") or sound.get("duration_ms")
    values["popularity"] = track.get("popularity")
    return values
