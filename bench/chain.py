"""Measure the worst case of an upload: a chain in which each play may be the same as the next.

The plays are of one track and one length and end 1 s apart, because a later export may move a play
by that much. The loader must therefore merge the whole chain as one group.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bench.pipeline import MESSAGES_PER_INVOCATION
from services.loader.domain.records import EXPORT
from services.loader.store import Store
from shared.models import PLAYS_PER_BATCH, EnrichedBatch, Play
from shared.postgres import Database

SHORT, LONG = 2_000, 8_000
"""Plays in a chain; the longer one is below the loader's limit (`MOST_NEAR_RECORDS`)."""


def seconds(length: int, database: Database) -> float:
    """Load a chain of `length` plays in halves, then its middle play again; return the seconds."""
    store = Store(database)
    half = length // 2
    plays = [*map(_play, range(length)), _play(half)]
    started = time.perf_counter()
    for part in (plays[:half], plays[half:length], plays[length:]):
        for batches in _invocations(part, origin=f"{length}/{part[0].played_at}/{len(part)}"):
            store.load(batches)
    return time.perf_counter() - started


def _play(after_s: int) -> Play:
    return Play(
        track_uri="spotify:track:4uLU6hMCjMI75M1A2tKUQC",
        track_name="A loop",
        artist_name="The Example",
        played_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=after_s),
        ms_played=60_000,
    )


def _invocations(plays: Sequence[Play], origin: str) -> Iterator[list[EnrichedBatch]]:
    batches = [
        EnrichedBatch(
            listener="me",
            source=EXPORT,
            origin=origin,
            number=number,
            plays=tuple(plays[start : start + PLAYS_PER_BATCH]),
        )
        for number, start in enumerate(range(0, len(plays), PLAYS_PER_BATCH))
    ]
    for start in range(0, len(batches), MESSAGES_PER_INVOCATION):
        yield batches[start : start + MESSAGES_PER_INVOCATION]
