"""The history of two invented listeners, loaded as by the pipeline: exports, polls, features."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path

from infra.local import catalogue
from infra.local.sample_history import write_history_zip
from infra.local.simulators.listener import Listener
from infra.local.simulators.sound import popularity, sound, time_signature
from services.collector.backfill.upload_reader import UploadReader
from services.collector.domain.batches import Batches
from services.loader.store import Store
from shared.models import EnrichedBatch, Gap, Play, PollReport, TrackFeatures
from shared.postgres import Database

LISTENERS = {"me": (12_000, timedelta(days=1_100)), "anna": (1_500, timedelta(days=200))}
"""Each listener's export: its number of rows, and the time that it covers."""
AN_HOUR = timedelta(hours=1)
POLLED = (26, 3)
"""The age of the first listener's live plays, hours; there is a gap before the last ones."""
LIVE = timedelta(minutes=15)
"""The listening time before each poll: 21 plays."""


def load_sample(database: Database, folder: Path, now: datetime) -> None:
    """Load the whole sample, up to an instant, as role loader."""
    store = Store(database)
    for seed, (listener, (rows, time)) in enumerate(LISTENERS.items(), 1):
        path = folder / f"{listener}.zip"
        write_history_zip(path, plays=rows, seed=seed, until=now, since=now - time)
        for batch in _export(path, listener, now):
            store.load([_with_features(batch, now)])
    for number, ago in enumerate(POLLED):
        store.load([_with_features(_poll(number, now - ago * AN_HOUR), now)])


def _export(path: Path, listener: str, now: datetime) -> Iterator[EnrichedBatch]:
    """Read an export as the backfill does."""
    published: list[str] = []
    origin = f"history/{listener}/{path.name}"
    batches = Batches(published.append, listener, "extended-history", origin)
    reader = UploadReader(batches, BytesIO(), now, lambda: False)
    with path.open("rb") as file:
        list(reader.read(file, path.name))
    batches.finish(reader.report)
    return map(EnrichedBatch.model_validate_json, published)


def _poll(number: int, polled_at: datetime) -> EnrichedBatch:
    """Poll the simulated Spotify. The time from the export's end to the first poll is a gap."""
    plays = Listener().plays_between(polled_at - LIVE, polled_at)
    missed = Gap(
        started_at=polled_at - 2 * AN_HOUR, ended_at=polled_at - LIVE, reason="50 new plays"
    )
    report = PollReport(polled_at=polled_at, returned=50, new=len(plays), late=0, moved=0)
    return EnrichedBatch(
        listener="me",
        source="recently-played",
        origin=f"polls/me/{number}",
        number=0,
        plays=tuple(
            _live_play(catalogue.track(play.track_number), play.ended_at) for play in plays
        ),
        report=report.model_copy(update={"gap": missed} if number else {}),
    )


def _live_play(track: catalogue.Track, ended_at: datetime) -> Play:
    return Play(
        track_uri=track.uri,
        track_name=track.name,
        artist_name=track.artists[0].name,
        album_name=track.album.name,
        played_at=ended_at,
        duration_ms=track.duration_ms,
        popularity=popularity(track),
        isrc=track.isrc,
    )


def _with_features(batch: EnrichedBatch, now: datetime) -> EnrichedBatch:
    numbers = {catalogue.find_number(play.track_uri.rpartition(":")[2]) for play in batch.plays}
    known = (number for number in numbers if number and catalogue.known_to_reccobeats(number))
    return batch.model_copy(
        update={"features": tuple(_features(catalogue.track(number), now) for number in known)}
    )


def _features(track: catalogue.Track, now: datetime) -> TrackFeatures:
    return TrackFeatures(
        track_uri=track.uri,
        **sound(track),
        time_signature=time_signature(track),
        duration_ms=track.duration_ms,
        popularity=popularity(track),
        source="reccobeats",
        fetched_at=now,
    )
