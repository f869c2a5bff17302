"""Refreshing the derived tables: when a load does it, and how long it goes on.

Triggers of the database mark what was written. A refresh turns the marks into stale months and
computes those anew, so one that fails or comes late loses nothing.
"""

from collections.abc import Sequence
from math import inf
from time import monotonic

from services.loader.domain.records import EXPORT
from services.loader.statements import run
from shared.models import EnrichedBatch
from shared.postgres import Database

MONTHS_AFTER_A_POLL = 3
"""A poll makes one month stale, two at a border. Where late plays, features of old tracks or an
upload under way have made more stale, the hourly derivation computes the others together."""
MONTHS_AT_ONCE = 16
"""Most months of one transaction: some seconds for a listener of 6,000 plays a month, so that a
refresh which is cut off loses little."""


def refresh_after_load(
    database: Database, batches: Sequence[EnrichedBatch], most_s: float
) -> int | None:
    """Refresh the derived tables after a load, unless one of its uploads is not yet complete.

    An upload is refreshed once all of it is loaded, whichever of its batches comes last.

    Args:
        database: The loader's connection.
        batches: What was loaded.
        most_s: How long the refresh may take, seconds.

    Returns:
        The number of months that still wait; None if nothing was refreshed.

    Raises:
        DatabaseError: Postgres cannot refresh now; the marks stay.
    """
    uploads = sorted({batch.origin for batch in batches if batch.source == EXPORT})
    if not uploads:
        return refresh(database, most_s, most_s, MONTHS_AFTER_A_POLL)
    ((is_complete,),) = run(database, "completes_upload", uploads=uploads)
    return refresh(database, most_s, most_s) if is_complete else None


def refresh(database: Database, most_s: float, limit_s: float, most_months: float = inf) -> int:
    """Read the marks, then compute stale months anew, the newest first.

    The marks are a transaction of their own. Then each transaction computes twice as many months as
    the one before, from 1 to `MONTHS_AT_ONCE`, so that a slow machine commits some, too. Goes on
    until no month waits, until another refresh holds those that do, or until the next transaction
    would end too late.

    Args:
        database: A connection of role loader.
        most_s: For how long transactions begin, seconds.
        limit_s: When Postgres ends each of them, seconds.
        most_months: No further transaction begins after so many months.

    Returns:
        The number of months that still wait.

    Raises:
        DatabaseError: Postgres cannot refresh now, or a transaction came to `limit_s`.
    """
    end = monotonic() + most_s
    left, months, computed = inf, 0, 0
    while True:
        began = monotonic()
        before, left = left, _refresh_some(database, months, limit_s)
        computed += months
        now = monotonic()
        # The time that the marks took says nothing of a month.
        is_late = now + (2 * (now - began) if months else 0) > end
        is_stuck = months > 0 and left >= before
        if not left or is_stuck or is_late or computed >= most_months:
            return left
        months = min(max(1, 2 * months), MONTHS_AT_ONCE)


def _refresh_some(database: Database, months: int, limit_s: float) -> int:
    with database.transaction():
        # 0 would be no limit.
        run(database, "limit_statement", most_ms=str(max(1, int(limit_s * 1_000))))
        ((left,),) = run(database, "refresh", months=months)
    return int(left)
