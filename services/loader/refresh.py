"""Refreshing the derived tables: when it is due after a load, and how long it goes on.

Triggers of the database mark the months whose derived rows may be wrong. A refresh computes those
months anew and deletes their marks, so one that fails or comes late loses nothing.
"""

from collections.abc import Sequence
from math import inf
from time import monotonic

from services.loader.records import EXPORT
from services.loader.statements import run
from shared.models import EnrichedBatch
from shared.postgres import Database

FEW_MONTHS = 3
"""A poll marks one month, two at a border; late plays and features mark some more."""
QUIET_S = 300
"""Without a new mark for so long, no upload is being loaded: its loads follow each other."""
MARGIN_S = 1
"""How much earlier than measured a load may have begun by Postgres's clock, with a slow network."""
MONTHS_AT_ONCE = 12
"""Months of one transaction: some seconds for a listener of 6,000 plays a month, so that a refresh
which is cut off loses little."""


def is_due(months: int, quiet_s: float | None) -> bool:
    """True if a load that belongs to no upload should refresh the derived tables.

    An upload may be under way beside it, whose next load would mark the same months again.

    Args:
        months: How many wait.
        quiet_s: Time from the newest mark before the load to its begin, seconds; None: no mark.
    """
    return 0 < months <= FEW_MONTHS or (months > 0 and (quiet_s is None or quiet_s > QUIET_S))


def refresh_if_due(
    database: Database, batches: Sequence[EnrichedBatch], load_s: float, most_s: float
) -> int | None:
    """Refresh the derived tables after a load, if that is due.

    An upload is refreshed once all of it is loaded, whichever of its batches comes last.

    Args:
        database: The loader's connection.
        batches: What was loaded.
        load_s: How long ago the load began, seconds.
        most_s: How long the refresh may take, seconds.

    Returns:
        The number of months that still wait; None if no refresh was due.

    Raises:
        DatabaseError: Postgres cannot refresh now; the marks stay.
    """
    uploads = sorted({batch.origin for batch in batches if batch.source == EXPORT})
    if uploads:
        ((due,),) = run(database, "completes_upload", uploads=uploads)
    else:
        ((months, quiet_s),) = run(database, "waiting", load_s=load_s + MARGIN_S)
        due = is_due(months, quiet_s)
    return refresh(database, most_s, most_s) if due else None


def refresh(database: Database, most_s: float, limit_s: float) -> int:
    """Compute marked months anew, some in each transaction, the newest first.

    Goes on until none is marked, until others hold what is, or until the next transaction would end
    too late. The first one is always tried.

    Args:
        database: A connection of role loader.
        most_s: How long to go on, seconds.
        limit_s: When Postgres ends a transaction that takes longer than expected, seconds from now.

    Returns:
        The number of months that still wait.

    Raises:
        DatabaseError: Postgres cannot refresh now, or a transaction came to `limit_s`.
    """
    start, before = monotonic(), inf
    while True:
        began = monotonic()
        left = _refresh_some(database, limit_s - (began - start))
        now = monotonic()
        if not left or left >= before or now + (now - began) > start + most_s:
            return left
        before = left


def _refresh_some(database: Database, limit_s: float) -> int:
    with database.transaction():
        # 0 would be no limit.
        run(database, "limit_statement", most_ms=str(max(1, int(limit_s * 1_000))))
        ((left,),) = run(database, "refresh", months=MONTHS_AT_ONCE)
    return int(left)
