"""Records in Postgres what happened: the outcome of each batch, polls, gaps and uploads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from services.loader.domain.merge import Changes
from services.loader.domain.records import EXPORT
from services.loader.statements import run
from shared.archive import poll_key
from shared.models import EnrichedBatch, Gap, OutageReport, PollReport, UploadReport
from shared.postgres import Database

STATE_LOST = "the collector's state was lost, and the next answer did not reach back"
ANSWERS_MISSING = (
    "answers of Spotify are in the archive but not in Postgres: `plays rebuild` sends them again"
)


def record_polls(database: Database, batches: Iterable[EnrichedBatch]) -> set[str]:
    """Record the polls of one listener; open a gap if an earlier answer is not in Postgres.

    Call it before the plays are written, because it reads the newest play known before.

    Returns:
        The origins of the polls that were recorded before, as in a rebuild. Do not record their
        gaps again: a rebuild computes gaps from the archive alone, which holds no outage.
    """
    polls = [(batch, batch.report) for batch in batches if isinstance(batch.report, PollReport)]
    known = set()
    for batch, report in sorted(polls, key=lambda poll: poll[1].polled_at):
        where = {"origin": batch.origin, "listener": batch.listener}
        if not run(database, "record_poll", **where, report=report.model_dump_json()):
            known.add(batch.origin)
            continue
        run(database, "end_wait", origin=batch.origin)
        if report.covers_from and (report.follows or report.is_first):
            awaits = poll_key(str(batch.listener), report.follows) if report.follows else None
            span = {"polled_at": report.polled_at, "covers_from": report.covers_from}
            reason = ANSWERS_MISSING if awaits else STATE_LOST
            run(database, "open_lost_gap", **where, **span, awaits=awaits, reason=reason)
    return known


def record(
    database: Database,
    listener: str,
    batches: Sequence[tuple[int, EnrichedBatch]],
    changes: Changes,
    known_polls: set[str],
) -> None:
    """Record the outcome of one listener's batches, and the gaps and uploads that they report.

    `batches` holds each batch with its number in the load, the key of `changes.outcomes`.

    Raises:
        DatabaseRefusalError: Postgres refuses a value of a report.
    """
    run(database, "record_batches", batches=json.dumps(_all_counts(batches, changes)))
    for _, batch in batches:
        _record_upload(database, batch)
    gaps = [
        (batch.origin, gap)
        for _, batch in batches
        if batch.origin not in known_polls
        for gap in _gaps(batch)
    ]
    for origin, gap in gaps:
        run(database, "record_gap", listener=listener, origin=origin, gap=gap.model_dump_json())
    uploads = sorted({batch.origin for _, batch in batches if batch.source == EXPORT})
    if uploads or gaps:
        run(database, "close_gaps", listener=listener, uploads=uploads, any_upload=bool(gaps))


def _record_upload(database: Database, batch: EnrichedBatch) -> None:
    if isinstance(batch.report, UploadReport):
        where = {"origin": batch.origin, "listener": batch.listener}
        run(database, "record_import", **where, report=batch.report.model_dump_json())


def _gaps(batch: EnrichedBatch) -> Iterator[Gap]:
    match batch.report:
        case OutageReport(gap=gap):
            yield gap
        case PollReport(gap=gap, closed=closed):
            yield from closed
            if gap is not None:
                yield gap


def _all_counts(
    batches: Sequence[tuple[int, EnrichedBatch]], changes: Changes
) -> list[dict[str, Any]]:
    """Return the counts of each batch; one that is delivered twice in this load is counted once."""
    all_counts: dict[tuple[str, int], dict[str, Any]] = {}
    for number, batch in batches:
        counts = _counts(batch, changes, number)
        first = all_counts.setdefault((batch.origin, batch.number), counts)
        if first is not counts:
            # Usually 0, but the two may be of different readings of an upload.
            first["regrouped"] += counts["inserted"] + counts["regrouped"]
    return [*all_counts.values()]


def _counts(batch: EnrichedBatch, changes: Changes, number: int) -> dict[str, Any]:
    outcome = changes.outcomes[number]
    return {
        "origin": batch.origin,
        "number": batch.number,
        "listener": batch.listener,
        "plays": len(batch.plays),
        "inserted": outcome["inserted"],
        "upgraded": outcome["upgraded"],
        "duplicates": outcome["duplicates"],
        "deleted": outcome["deleted"],
        "regrouped": outcome["regrouped"],
    }
