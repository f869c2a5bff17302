"""Puts what one poll found, or that none could be made, into messages; pure."""

from collections.abc import Sequence

from shared.models import (
    BATCH_BYTES,
    PLAYS_PER_BATCH,
    Gap,
    OutageReport,
    Play,
    PlayBatch,
    PollReport,
    iso,
)


def poll_batches(
    listener: str, origin: str, plays: Sequence[Play], report: PollReport
) -> tuple[PlayBatch, ...]:
    """Put the plays of a poll into batches, in order.

    Returns:
        At least one batch; the last carries the report, even when there are no plays.
    """
    parts = _parts(listener, origin, tuple(plays), report)
    last = len(parts) - 1
    return tuple(
        _batch(listener, origin, number, part, report if number == last else None)
        for number, part in enumerate(parts)
    )


def outage_batch(listener: str, gap: Gap) -> PlayBatch:
    """Put a gap that no poll found into a batch without plays.

    Its origin is no object of the archive, for there was no answer to keep: it names the gap, so
    that the same one told again is the same origin.
    """
    return PlayBatch(
        listener=listener,
        source="recently-played",
        origin=f"outages/{listener}/{iso(gap.started_at)}",
        number=0,
        report=OutageReport(gap=gap),
    )


def _parts(
    listener: str, origin: str, plays: tuple[Play, ...], report: PollReport
) -> list[tuple[Play, ...]]:
    """Halve the plays until each part fits into a message beside the report.

    One play always fits: the length of its texts is bounded.
    """
    if len(plays) <= PLAYS_PER_BATCH:
        batch = _batch(listener, origin, len(plays), plays, report)
        if len(batch.model_dump_json(exclude_none=True).encode()) <= BATCH_BYTES:
            return [plays]
    middle = len(plays) // 2
    return [
        *_parts(listener, origin, plays[:middle], report),
        *_parts(listener, origin, plays[middle:], report),
    ]


def _batch(
    listener: str, origin: str, number: int, plays: tuple[Play, ...], report: PollReport | None
) -> PlayBatch:
    return PlayBatch(
        listener=listener,
        source="recently-played",
        origin=origin,
        number=number,
        plays=plays,
        report=report,
    )
