"""Examples that the enricher's tests share: tracks, plays, batches and an adjustable clock."""

from datetime import UTC, datetime, timedelta

from services.enricher.domain.entry import KnownFeatures
from shared.models import Play, PlayBatch, TrackFeatures

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


class Clock:
    """Stands still until it is told to move on."""

    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time

    def move(self, **span):
        self.time += timedelta(**span)


def uri(name):
    """Return the uri of a track whose id begins with a name, and has 22 digits as Spotify's do."""
    return f"spotify:track:{name:z<22}"


def uris(count, prefix="track"):
    return [uri(f"{prefix}{number}") for number in range(count)]


def a_play(track="Boats", **more):
    return Play(
        track_uri=uri(track),
        track_name=track,
        artist_name="The Example",
        played_at=more.pop("played_at", START),
        **more,
    )


def a_batch(*plays, **more):
    return PlayBatch(
        **{"listener": "me", "source": "extended-history", "origin": "history/me/a.zip"}
        | {"number": 0, "plays": plays}
        | more
    )


def some_features(track="Boats", **more):
    values = {"energy": 0.5, "popularity": 40, "source": "test", "fetched_at": START} | more
    return TrackFeatures(track_uri=uri(track), **values)


def known_features(track="Boats", **more):
    """The same as the cache and the messages have them."""
    return KnownFeatures.of(some_features(track, **more))
