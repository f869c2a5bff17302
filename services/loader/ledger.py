"""Records in Postgres what happened: the outcome of each batch, polls, gaps and uploads."""

import json
from collections.abc import Iterator, Sequence

from services.loader.domain.merge import Changes
from services.loader.domain.records import EXPORT
from services.loader.statements import run
from shared.models import EnrichedBatch, Gap, OutageReport, PollReport, UploadReport
from shared.postgres import Database


def record(
    database: Database,
    listener: str,
    batches: Sequence[tuple[int, EnrichedBatch]],
    changes: Changes,
) -> None:
    """Record the numbered batches of one listener, and their reports.

    Raises:
        DatabaseRefusalError: Postgres refuses a value of a report.
    """
    counts = [_counts(batch, changes, number) for number, batch in batches]
    run(database, "record_batches", batches=json.dumps(counts))
    for _, batch in batches:
        _record_report(database, batch)
    gaps = [(batch.origin, gap) for _, batch in batches for gap in _gaps(batch)]
    for origin, gap in gaps:
        run(database, "record_gap", listener=listener, origin=origin, gap=gap.model_dump_json())
    uploads = sorted({batch.origin for _, batch in batches if batch.source == EXPORT})
    if uploads or gaps:
        run(database, "close_gaps", listener=listener, uploads=uploads, any_upload=bool(gaps))


def _record_report(database: Database, batch: EnrichedBatch) -> None:
    where = {"origin": batch.origin, "listener": batch.listener}
    match batch.report:
        case PollReport() as report:
            run(database, "record_poll", **where, report=report.model_dump_json())
        case UploadReport() as report:
            run(database, "record_import", **where, report=report.model_dump_json())


def _gaps(batch: EnrichedBatch) -> Iterator[Gap]:
    match batch.report:
        case OutageReport(gap=gap):
            yield gap
        case PollReport(gap=gap, closed=closed):
            yield from closed
            if gap is not None:
                yield gap


def _counts(batch: EnrichedBatch, changes: Changes, number: int) -> dict[str, object]:
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
