"""Spotify's own audio features and popularity, for apps that still may have them.

Apps made since 27 November 2024, and older ones in development mode, are answered 403. Whether an
app may is asked once: the first 403 is written down for good, and the next source takes its place.
To have it asked again, delete the item of the app from the table `spotify-app`.

Source:
    https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
    https://developer.spotify.com/documentation/web-api/references/changes/february-2026
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from services.enricher.features import SOUND, told
from services.enricher.sources import Answer
from services.enricher.spotify_calls import SpotifyCalls
from shared.errors import FeatureSourceError
from shared.spotify import SpotifyApi
from shared.spotify_catalogue_wire import Row

NAME = "spotify"


class SpotifyFeatures:
    """A client of the two batch calls."""

    def __init__(self, api: SpotifyApi, calls: SpotifyCalls, now: Callable[[], datetime]) -> None:
        self._api = api
        self._calls = calls
        self._now = now

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks, in two calls; the second only if the first was answered."""
        ids = [uri.rpartition(":")[2] for uri in track_uris]
        failure = None
        try:
            heard = self._calls.make(lambda token: self._api.audio_features(token, ids))
        except FeatureSourceError as error:
            return Answer(failure=error)
        try:
            tracks = self._calls.make(lambda token: self._api.tracks(token, ids))
        except FeatureSourceError as error:
            tracks, failure = [{}] * len(ids), error
        fetched_at = self._now()
        known = (
            told(uri, NAME, fetched_at, _values(sound, track))
            for uri, sound, track in zip(track_uris, heard, tracks, strict=True)
        )
        return Answer.about(track_uris, known, failure)


def _values(sound: Row, track: Row) -> dict[str, Any]:
    """Name the values of a track's two rows as `TrackFeatures` does."""
    values = {name: sound.get(name) for name in SOUND}
    values["duration_ms"] = track.get("duration_ms") or sound.get("duration_ms")
    values["popularity"] = track.get("popularity")
    return values
