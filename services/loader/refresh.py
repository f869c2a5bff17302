"""Refreshes the derived tables, and decides when, how many months, and for how long.

Triggers in the database mark each write. A refresh reads these marks, notes the months that they
make stale, and recomputes them, so a refresh that fails or is late loses nothing.
"""

from collections.abc import Sequence
from math import inf
from time import monotonic

from services.loader.domain.records import EXPORT
from services.loader.statements import run
from shared.archive import UPLOADS
from shared.models import EnrichedBatch
from shared.postgres import Database

MONTHS_AFTER_A_POLL = 3
"""A poll makes one month stale, or two at a month's end. If late plays or features of old tracks
make more months stale, the hourly derivation computes the rest."""
MONTHS_AT_ONCE = 16
"""Most months of one transaction: some seconds for a listener with 6,000 plays a month, so that a
refresh that is cut off loses little work."""


def refresh_after_load(
    database: Database, batches: Sequence[EnrichedBatch], most_s: float
) -> int | None:
    """Refresh the derived tables after a load, unless an upload is still incomplete.

    An upload is refreshed once all its batches are loaded, in whatever order. A poll in the
    meantime refreshes nothing, because reading the marks of many new tracks takes 6 s each time.

    Args:
        database: The loader's connection.
        batches: The loaded batches.
        most_s: The most time that the refresh may take, seconds.

    Returns:
        The number of months that are still stale; None if nothing was refreshed.

    Raises:
        DatabaseError: Postgres cannot refresh now; stale months stay marked.
    """
    uploads = sorted({batch.origin for batch in batches if batch.source == EXPORT})
    if not uploads:
        ((is_uploading,),) = run(database, "is_uploading", folder=UPLOADS)
        if is_uploading:
            return None
        return refresh(database, most_s, most_s, MONTHS_AFTER_A_POLL)
    ((is_complete,),) = run(database, "completes_upload", uploads=uploads)
    return refresh(database, most_s, most_s) if is_complete else None


def refresh(database: Database, most_s: float, limit_s: float, most_months: float = inf) -> int:
    """Find the months that writes have made stale, then recompute them, the newest first.

    The first transaction only reads the marks of writes. Each later one recomputes twice as many
    months as the one before, from 1 to `MONTHS_AT_ONCE`, so that even a slow machine commits some.
    The refresh ends when no month is stale, when another refresh runs, or when the next transaction
    would end too late.

    Args:
        database: A connection as role loader.
        most_s: No transaction starts later than this, seconds from now.
        limit_s: Statement timeout, seconds.
        most_months: No transaction starts after this many months were computed.

    Returns:
        The number of months that are still stale.

    Raises:
        DatabaseError: Postgres cannot refresh now, or a statement took longer than `limit_s`.
    """
    end = monotonic() + most_s
    months, computed = 0, 0
    while True:
        began = monotonic()
        is_ours, left = _refresh_some(database, months, limit_s)
        computed += months
        now = monotonic()
        # The time to read the marks says nothing about the time of a month.
        is_late = now + (2 * (now - began) if months else 0) > end
        if not left or not is_ours or is_late or computed >= most_months:
            return left
        months = min(max(1, 2 * months), MONTHS_AT_ONCE)


def _refresh_some(database: Database, months: int, limit_s: float) -> tuple[bool, int]:
    """Recompute up to `months` stale months in one transaction.

    Returns:
        False if another refresh runs, so that nothing was done; and the number of months still
        stale.
    """
    with database.transaction():
        # 0 would mean no limit.
        run(database, "limit_statement", most_ms=str(max(1, int(limit_s * 1_000))))
        ((is_ours, left),) = run(database, "refresh", months=months)
    return bool(is_ours), int(left)
