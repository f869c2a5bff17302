"""The plays of an invented person over the years: sessions of rows, oldest first.

Plays are drawn forward in time from one seed, so an earlier export of the same person is the
beginning of a later one.

Shares of records are measured over 106,745 records of 29 real accounts, except that those of
podcasts and audiobooks are assumed.
"""

from array import array
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import sqrt
from random import Random
from typing import Literal, NamedTuple

from infra.local import catalogue

Kind = Literal["track", "episode", "audiobook", "unnamed"]

PLATFORMS = (
    ("Android OS 11 API 30 (Example, EX-100)", "android"),
    ("iOS 13.3.1 (Example12,1)", "ios"),
    ("Windows 10 (10.0.19041; x64; AppX)", "windows"),
    ("OS X 10.15.7 [x86 8]", "osx"),
    ("Linux [x86-64 0]", "linux"),
    ("Partner example cast_tv;Example TV;;tpapi", "not_applicable"),
)
"""The name of each device before October 2023, and its name since then."""

DISCOUNT = 0.75
"""The share of new tracks is (concentration + discount * tracks) / (plays + concentration).

Distinct tracks as a share of plays, in published analyses of real exports and here (the mean of
three people): 35 % and 38 % of 2,135 plays, 17 % and 14 % of 71,052, 10 % and 13 % of 149,860.
"""
_CONCENTRATION = 15

_KINDS: tuple[Kind, ...] = ("track", "episode", "audiobook", "unnamed")
_KIND_SHARES = (0.972, 0.02, 0.001, 0.007)
_VIDEOS = 0.02
_ZERO = 0.0455
_SHORT = 0.5198
"""Share of plays below `_SHORT_MS`, including those of 0 ms."""
_SHORT_MS = 30_000
_AGAIN = 0.0032
"""Share of records that repeat ts and item of another; of these, `_AGAIN_WHOLE` repeat every
field."""
_AGAIN_WHOLE = 0.41
_SAME_SECOND = 0.1255
"""Share of records with the same ts as another record, most often of a different item."""
# Chance that a row joins the previous one. A row shares its second if it joins or is joined, so
# the share is 1 - (1 - chance)².
_JOINS = 1 - sqrt(1 - _SAME_SECOND)
_PLAYED_OUT = 0.8

_STARTS = ("clickrow", "playbtn", "appload", "clickside", "popup", "uriopen", "remote", "unknown")
_LEADS_ON = ("trackdone", "fwdbtn", "backbtn")
_COUNTRIES = ("DE",) * 8 + ("AT", "JP", "US", "ZZ")

_PLAYS_PER_DAY = 30
_ROWS_PER_SESSION = 20
_FIRST_YEAR = 2012
# How much is played in each hour of the day (UTC).
_HOURS = (2, 1, 1, 1, 1, 2, 5, 9, 8, 6, 5, 5, 6, 6, 5, 6, 8, 10, 10, 9, 8, 7, 5, 3)


class Session(NamedTuple):
    """The values that all plays of a session share."""

    is_video: bool
    device: int
    country: str
    address: str
    shuffle: bool
    offline: bool
    incognito: bool


class Row(NamedTuple):
    """One record of a history."""

    ended_s: int
    """When the play ended, in Unix seconds."""
    kind: Kind
    number: int
    """The number of the track or episode within its kind."""
    ms_played: int
    reason_start: str | None
    reason_end: str | None
    session: Session


def sessions(
    plays: int, *, seed: int, until: datetime, since: datetime | None, discount: float
) -> Iterator[list[Row]]:
    """Yield a person's history, session by session.

    Rows that end in the same second are adjacent and belong to one session; other rows are 2 s
    apart or more.

    Args:
        plays: Rows in all.
        seed: Determines the person.
        until: The last row ends some hours before this instant.
        since: The first day; by default the day that gives 30 plays a day, but not before 2012.
        discount: See `DISCOUNT`.
    """
    rng = catalogue.dice(seed, "history")
    person = Person(rng, discount)
    free_s = 0
    for start_s, rows in _timetable(plays, since, until, rng):
        # A long session delays the next.
        session = list(person.session(max(start_s, free_s), rows))
        free_s = session[-1].ended_s + 60
        yield session


def _timetable(
    plays: int, since: datetime | None, until: datetime, rng: Random
) -> list[tuple[int, int]]:
    """Spread sessions over days and hours; return the start and the number of rows of each."""
    # The last session may pass midnight.
    last = until.astimezone(UTC) - timedelta(hours=36)
    usual = last - timedelta(days=plays // _PLAYS_PER_DAY)
    since = since or max(datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), usual)
    midnight = last.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (last - since).days + 1
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


class Person:
    """A person's taste and habits; earlier plays make repetitions likelier."""

    def __init__(self, rng: Random, discount: float) -> None:
        self._rng = rng
        self._discount = discount
        self._played: dict[Kind, array[int]] = {kind: array("Q") for kind in _KINDS}
        self._new: Counter[Kind] = Counter()

    def session(self, start_s: int, rows: int) -> Iterator[Row]:
        """Yield the rows of one session."""
        rng = self._rng
        session = Session(
            is_video=rng.random() < _VIDEOS,
            device=rng.randrange(len(PLATFORMS)),
            country=rng.choice(_COUNTRIES),
            # From a range that is reserved for documentation.
            address=f"192.0.2.{rng.randrange(1, 255)}",
            shuffle=rng.random() < 1 / 2,
            offline=rng.random() < 1 / 10,
            incognito=rng.random() < 1 / 50,
        )
        row: Row | None = None
        for _ in range(rows):
            if row is not None and rng.random() < _AGAIN:
                is_whole = rng.random() < _AGAIN_WHOLE
                more_ms = 0 if is_whole else rng.randrange(1, 1_000)
                row = row._replace(ms_played=row.ms_played + more_ms)
            else:
                row = self._play(row, start_s if row is None else row.ended_s, session)
            yield row

    def _play(self, before: Row | None, free_s: int, session: Session) -> Row:
        """Return the play that follows the previous one."""
        rng = self._rng
        kind = "episode" if session.is_video else rng.choices(_KINDS, _KIND_SHARES)[0]
        number = self._choose(kind)
        ms_played = self._ms_played(kind, number)
        joins = before is not None and rng.random() < _JOINS
        led_here = before is not None and before.reason_end in _LEADS_ON
        return Row(
            ended_s=free_s if joins else free_s + ms_played // 1_000 + rng.randint(3, 6),
            kind=kind,
            number=number,
            ms_played=ms_played,
            reason_start=before.reason_end if before and led_here else rng.choice(_STARTS),
            reason_end=rng.choice(_ends(kind, number, ms_played)),
            session=session,
        )

    def _choose(self, kind: Kind) -> int:
        """Choose a new item, or repeat one with a chance in proportion to its plays so far.

        New items follow Pitman and Yor's process (1997), so the number of tracks follows Heaps'
        law. Repetitions are drawn from the plays so far (Simon, 1955), so the plays of a track
        follow Zipf's law.
        """
        if kind == "unnamed":
            return 0
        played, number = self._played[kind], self._new[kind]
        novelty = _CONCENTRATION + self._discount * number
        if played and self._rng.random() * (len(played) + _CONCENTRATION) >= novelty:
            number = played[int(self._rng.random() * len(played))]
        else:
            self._new[kind] += 1
        played.append(number)
        return number

    def _ms_played(self, kind: Kind, number: int) -> int:
        """Choose how long an item is played, in milliseconds."""
        rng = self._rng
        chance = rng.random()
        if chance < _ZERO:
            return 0
        if chance < _SHORT:
            return 1 + int(rng.random() ** 2 * (_SHORT_MS - 2))
        length_ms = _length_ms(kind, number)
        return length_ms if rng.random() < _PLAYED_OUT else rng.randrange(_SHORT_MS, length_ms)


def _length_ms(kind: Kind, number: int) -> int:
    """Return the length of a track, episode or audiobook, in milliseconds."""
    if kind == "track":
        return catalogue.track(number).duration_ms
    return 1_200_000 + number * 7_919_333 % 3_600_000


def _ends(kind: Kind, number: int, ms_played: int) -> tuple[str | None, ...]:
    """Return the values of `reason_end` to draw from; a likelier one occurs more often."""
    if ms_played == 0:
        return ("trackerror", "unknown", "fwdbtn", "backbtn", "", None)
    if ms_played < _SHORT_MS:
        return (*("fwdbtn",) * 8, "backbtn", "clickrow", "endplay", "unexpected-exit")
    if ms_played == _length_ms(kind, number):
        return ("trackdone",)
    return ("endplay", "fwdbtn", "logout", "remote", "unexpected-exit-while-paused")
