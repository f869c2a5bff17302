"""Measure what the derived tables cost: a rebuild, refreshes, and the slowdown of loads."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from bench import insight_data, pipeline, postgres
from bench.insight_data import Shape
from infra.local.sample_history import HistorySummary
from services.loader.domain.records import API
from services.loader.refresh import MONTHS_AFTER_A_POLL, refresh
from services.loader.store import Store
from shared.models import EnrichedBatch, Play, TrackFeatures
from shared.postgres import Database

POLLS = 5
"""Number of polls; the median of their refreshes is printed."""
UPLOADED_PLAYS = 50_000
LAST_LIVE_PLAYS = (
    "SELECT track_uri, track_name, artist_name, album_name, duration_ms FROM listening_history "
    "WHERE source = 'recently-played' ORDER BY played_at DESC LIMIT 10"
)
INDEXES = {
    "listening_history": "listening_history_track",
    "track_features": "track_features_uri",
}
"""The index that a refresh needs on each table that a load writes."""
REFRESH_S = 900

Facts = dict[str, Any]


def rebuild(loader: Database, plays: int) -> Facts:
    """Measure a rebuild of all derived tables."""
    started = time.perf_counter()
    loader.run("SELECT derived.rebuild()")
    left = refresh(loader, REFRESH_S, REFRESH_S)
    took_s = time.perf_counter() - started
    if left:
        raise RuntimeError(f"{left} months were not refreshed within {REFRESH_S} s")
    return {"measure": "rebuild", "plays": plays, "s": round(took_s, 1), "budget_s": 60}


def polls(loader: Database, plays: int) -> Facts:
    """Load polls one after another, and measure the refresh that the loader runs after each."""
    store, taken = Store(loader), defaultdict[str, list[float]](list)
    names = ("track_uri", "track_name", "artist_name", "album_name", "duration_ms")
    known = [dict(zip(names, track, strict=True)) for track in loader.run(LAST_LIVE_PLAYS)]
    for number in range(POLLS):
        new = [{**track, "track_uri": f"{track['track_uri']}-{number}"} for track in known]
        for kind, tracks in {"known": known, "new": new}.items():
            store.load([_poll(tracks, kind, number)])
            started = time.perf_counter()
            refresh(loader, REFRESH_S, REFRESH_S, MONTHS_AFTER_A_POLL)
            taken[kind].append((time.perf_counter() - started) * 1e3)
    return {
        "measure": "refresh after a poll",
        "plays": plays,
        "new_plays": len(known),
        "ms": {f"{kind} tracks": round(median(ms)) for kind, ms in taken.items()},
        "budget_ms": 200,
    }


def _poll(tracks: Sequence[dict[str, Any]], kind: str, number: int) -> EnrichedBatch:
    """Return a poll with one play of each track, and with features if `kind` is "new"."""
    began = Shape.until + timedelta(hours=number, minutes=30 * (kind == "new"))
    features = [
        TrackFeatures(
            track_uri=track["track_uri"], source="reccobeats", fetched_at=began, energy=0.5
        )
        for track in tracks
        if kind == "new"
    ]
    return EnrichedBatch(
        listener="me",
        source=API,
        origin=f"polls/me/{kind}-{number}",
        number=0,
        plays=tuple(
            Play(**track, played_at=began + timedelta(minutes=2 * place + 2))
            for place, track in enumerate(tracks)
        ),
        features=tuple(features),
    )


def upload(loader: Database, plays: int) -> Facts:
    """Measure the refresh after an upload of another listener.

    In the pipeline, the load of the upload's last batch runs it, or else the hourly schedule.
    """
    insight_data.fill(loader, Shape(listener="you", plays=UPLOADED_PLAYS, years=2, seed=2))
    started = time.perf_counter()
    refresh(loader, REFRESH_S, REFRESH_S)
    return {
        "measure": "refresh after an upload",
        "plays": plays,
        "new_plays": UPLOADED_PLAYS,
        "s": round(time.perf_counter() - started, 1),
    }


def backfill(
    history: Path, summary: HistorySummary, rounds: int, home: Path, progress: Callable[[str], None]
) -> Facts:
    """Measure loads of a history without and with the triggers and indexes that a refresh needs."""
    seconds: dict[str, list[float]] = {"DISABLE": [], "ENABLE": []}
    with postgres.running(home) as (owner, address_of):
        postgres.leave_marks(owner)
        for number in range(rounds):
            progress(
                f"{summary.rows:,} plays without and with refresh triggers, round {number + 1}"
            )
            for able, taken in seconds.items():
                owner.run("TRUNCATE listening_history, merged_record, track_features, poll, gap, "
                          "loaded_batch, import_report")  # fmt: skip
                for table, index in INDEXES.items():
                    owner.run(f"ALTER TABLE {table} {able} TRIGGER USER")
                    owner.run(f"DROP INDEX IF EXISTS {index}")
                    if able == "ENABLE":
                        owner.run(f"CREATE INDEX {index} ON {table} USING hash (track_uri)")
                taken.append(pipeline.load(history, address_of("loader")).seconds)
    without, with_marks = (median(taken) for taken in seconds.values())
    return {
        "measure": "backfill with marks",
        "plays": summary.rows,
        "rounds": rounds,
        "plays_per_s": {
            "with": round(summary.rows / with_marks),
            "without": round(summary.rows / without),
        },
        "ratio": round(with_marks / without, 3),
        "budget": "ratio <= 1.05",
    }
