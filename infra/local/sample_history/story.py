"""The plays of an invented person over the years: sessions of rows, oldest first.

Plays are drawn forward in time from one seed, so an earlier export of the same person is the
beginning of a later one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from infra.local.sample_history.person import Person
from infra.local.sample_history.rows import Row, Shares

MOST_PLAYS_PER_DAY = 300
"""More would not fit into a person's days."""

_PLAYS_PER_DAY = 30
_ROWS_PER_SESSION = 20
_FIRST_YEAR = 2012
# How much is played in each hour of the day (UTC).
_HOURS = (2, 1, 1, 1, 1, 2, 5, 9, 8, 6, 5, 5, 6, 6, 5, 6, 8, 10, 10, 9, 8, 7, 5, 3)


def first_day(plays: int, until: datetime) -> datetime:
    """Return the first day of a history of `plays` rows: 30 a day, but not before 2012."""
    days = timedelta(days=plays // _PLAYS_PER_DAY)
    return max(datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), _last_day(until) - days)


def sessions(
    plays: int,
    *,
    since: datetime,
    until: datetime,
    rng: Random,
    shares: Shares,
    first_number: int = 0,
) -> Iterator[list[Row]]:
    """Yield a person's history, session by session.

    Rows of one second are neighbours, and lie in one session; other rows are 2 s apart or more.

    Args:
        plays: Rows in all.
        since: The first day.
        until: The last row ends some hours before.
        rng: The random generator.
        shares: How often each oddity occurs.
        first_number: The lowest number of the items of each kind.

    Raises:
        ValueError: So many plays do not fit between `since` and `until`.
    """
    timetable = _timetable(plays, since, until, rng)
    return _played(Person(rng, shares, first_number), timetable)


def _timetable(plays: int, since: datetime, until: datetime, rng: Random) -> list[tuple[int, int]]:
    """Spread sessions over days and hours; return the start and the number of rows of each."""
    last = _last_day(until)
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (last - since).days + 1
    if plays > days * MOST_PLAYS_PER_DAY:
        raise ValueError(f"{plays} plays do not fit into {days} days")
    count = -(-plays // _ROWS_PER_SESSION)
    diligence = [rng.uniform(0.2, 1.8) for _ in range(days)]
    days_ago = rng.choices(range(days), diligence, k=count)
    hours = rng.choices(range(24), _HOURS, k=count)
    starts = (
        midnight + timedelta(hours=hour, seconds=rng.randrange(3_600)) - timedelta(days=ago)
        for ago, hour in zip(days_ago, hours, strict=True)
    )
    return [
        (int(start.timestamp()), (plays + place) // count)
        for place, start in enumerate(sorted(starts))
    ]


def _played(person: Person, timetable: list[tuple[int, int]]) -> Iterator[list[Row]]:
    """Yield the sessions of a timetable; a long session delays the next."""
    free_s = 0
    for start_s, rows in timetable:
        session = list(person.session(max(start_s, free_s), rows))
        free_s = session[-1].ended_s + 60
        yield session


def _last_day(until: datetime) -> datetime:
    """Return the last day of an export made at `until`; its last session may pass midnight."""
    return until.astimezone(UTC) - timedelta(hours=36)
