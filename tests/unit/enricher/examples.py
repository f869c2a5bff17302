"""Examples for the tests of the enricher: tracks, plays, batches and an adjustable clock."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from shared.models import Play, PlayBatch, TrackFeatures

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TABLE, APPS = "track-cache", "spotify-app"


class Clock:
    """Stands still until `move` is called."""

    def __init__(self):
        self.time = START

    def __call__(self):
        return self.time

    def move(self, **span):
        self.time += timedelta(**span)


def uri(name):
    """Return the uri of a track whose id begins with a name and has the usual 22 digits."""
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


def plays_of(tracks):
    return [a_play(track.rpartition(":")[2]) for track in tracks]


def a_batch(*plays, **more):
    return PlayBatch(
        **{"listener": "me", "source": "extended-history", "origin": "history/me/a.zip"}
        | {"number": 0, "plays": plays}
        | more
    )


def some_features(track="Boats", **more):
    values = {"energy": 0.5, "popularity": 40, "source": "test", "fetched_at": START} | more
    return TrackFeatures(track_uri=uri(track), **values)


def rated(popularity, source):
    """Return the values of a popularity that has its own source."""
    origin = {"popularity_source": source, "popularity_fetched_at": START}
    return {"popularity": popularity, **origin}


def a_context(remaining_s=120) -> Any:
    """Return the context of an invocation."""
    return SimpleNamespace(
        function_name="function",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: remaining_s * 1_000,
    )
