"""What Postgres holds, as the status shows it: rows, the last poll, gaps, coverage."""

from datetime import date

from cli.output import Document, Instant
from cli.upload_results import STATEMENTS, as_document
from shared.queries import Reader


class LastPoll(Document):
    """The newest poll of any listener."""

    listener: str
    polled_at: Instant
    returned: int
    new: int


class KnownGap(Document):
    """A stretch of time in which plays may have been missed; `is_open` while they may be still."""

    listener: str
    started_at: Instant
    ended_at: Instant | None
    """None while it goes on."""
    reason: str
    is_open: bool


class DayCoverage(Document):
    """One day of UTC; today as far as it has passed."""

    day: date
    coverage: float
    """Share of it in which no play is missing, 0 to 1."""
    open_gap_s: float
    """Seconds of it that live capture may have missed; what else is not covered nobody watched."""


class Coverage(Document):
    """Shares of the time in which no play is missing, 0 to 1: of the last 7 and 30 days of UTC.

    What nobody watched, by an upload or from the first poll to the last, counts as missing.
    """

    days_7: float
    days_30: float
    by_day: tuple[DayCoverage, ...]
    """The last 7 days, the oldest first; fewer where the listener is known for fewer."""


class Stored(Document):
    """What Postgres holds.

    `gaps` are all open ones, at most 1,000, then the ten newest of the others, and `rows` counts
    them all.
    """

    rows: dict[str, int]
    last_poll: LastPoll | None
    gaps: list[KnownGap]
    open_gaps: int
    coverage: dict[str, Coverage]
    """By listener."""


def fetch_stored(database: Reader) -> Stored:
    """Ask Postgres for everything that the status shows of it."""
    last_poll = database.run(STATEMENTS["last_poll"])
    ((open_gaps,),) = database.run(STATEMENTS["open_gaps"])
    return Stored(
        rows=dict(database.run(STATEMENTS["rows"])),
        last_poll=as_document(LastPoll, last_poll[0]) if last_poll else None,
        gaps=[as_document(KnownGap, row) for row in database.run(STATEMENTS["gaps"])],
        open_gaps=open_gaps,
        coverage={
            listener: as_document(Coverage, shares)
            for listener, *shares in database.run(STATEMENTS["coverage"])
        },
    )
