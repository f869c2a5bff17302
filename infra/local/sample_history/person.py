"""A person's taste and habits, from which rows are drawn one by one."""

from array import array
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from math import sqrt
from random import Random

from infra.local import catalogue
from infra.local.sample_history.rows import (
    DEVICES,
    ODD_OFFLINE,
    SHORT_MS,
    Kind,
    Row,
    Session,
    Shares,
)

_KINDS: tuple[Kind, ...] = ("episode", "audiobook", "unnamed", "track")
_STARTS = ("clickrow", "playbtn", "appload", "clickside", "popup", "uriopen", "remote", "unknown")
_LEADS_ON = ("trackdone", "fwdbtn", "backbtn")
_PLAYED_OUT = 0.8
_NOTES_NO_START = 0.45
_COUNTRIES = ("DE",) * 8 + ("AT", "JP", "US", "ZZ")


class Person:
    """A person's taste and habits; earlier plays make repetitions likelier."""

    def __init__(self, rng: Random, shares: Shares, first_number: int) -> None:
        self._rng = rng
        self._shares = shares
        self._first_number = first_number
        self._played: dict[Kind, array[int]] = {}
        self._new: Counter[Kind] = Counter()
        self._kind_bounds = list(accumulate((shares.podcast, shares.audiobook, shares.unnamed)))
        # Chance that a row joins the previous one. A row shares its second if it joins or is
        # joined, so the share is 1 - (1 - chance)².
        self._joins = 1 - sqrt(1 - shares.same_second)

    def session(self, start_s: int, rows: int) -> Iterator[Row]:
        """Yield the rows of one session."""
        session = self._begin()
        row: Row | None = None
        for _ in range(rows):
            if row is not None and self._rng.random() < self._shares.again:
                row = self._again(row)
            else:
                row = self._play(row, start_s if row is None else row.ended_s, session)
            yield row

    def _begin(self) -> Session:
        """Choose device and place of a session."""
        rng = self._rng
        return Session(
            device=rng.randrange(DEVICES),
            country=rng.choice(_COUNTRIES),
            address=rng.randrange(1, 255),
            shuffle=rng.random() < 1 / 2,
            offline=rng.random() < 1 / 10,
            incognito=rng.random() < 1 / 50,
        )

    def _choose(self, kind: Kind) -> int:
        """Choose a new item, or repeat one with a chance in proportion to its plays so far.

        New items follow Pitman and Yor's process (1997), so the number of tracks follows Heaps'
        law. Repetitions are drawn from the plays so far (Simon, 1955), so the plays of a track
        follow Zipf's law.
        """
        if kind == "unnamed":
            return 0
        played, shares = self._played.setdefault(kind, array("Q")), self._shares
        novelty = shares.concentration + shares.discount * self._new[kind]
        if played and self._rng.random() * (len(played) + shares.concentration) >= novelty:
            number = played[int(self._rng.random() * len(played))]
        else:
            number = self._first_number + self._new[kind]
            self._new[kind] += 1
        played.append(number)
        return number

    def _ms_played(self, kind: Kind, number: int) -> int:
        """Choose the length of a play."""
        rng = self._rng
        chance = rng.random()
        if chance < self._shares.zero:
            return 0
        if chance < self._shares.short:
            return 1 + int(rng.random() ** 2 * (SHORT_MS - 2))
        length_ms = _length_ms(kind, number)
        return length_ms if rng.random() < _PLAYED_OUT else rng.randrange(SHORT_MS, length_ms)

    def _play(self, before: Row | None, free_s: int, session: Session) -> Row:
        """Return the play that follows the previous one."""
        rng = self._rng
        kind = _KINDS[bisect(self._kind_bounds, rng.random())]
        number = self._choose(kind)
        ms_played = self._ms_played(kind, number)
        joins = before is not None and rng.random() < self._joins
        ended_s = free_s if joins else free_s + ms_played // 1_000 + rng.randint(3, 6)
        led_here = before is not None and before.reason_end in _LEADS_ON
        return Row(
            ended_s=ended_s,
            kind=kind,
            number=number,
            ms_played=ms_played,
            reason_start=before.reason_end if before and led_here else rng.choice(_STARTS),
            reason_end=rng.choice(_ends(kind, number, ms_played)),
            offline_s=self._offline_s(ended_s - ms_played // 1_000),
            session=session,
        )

    def _offline_s(self, started_s: int) -> int | None:
        """Return the start of a play as a device records it: often None, rarely far off."""
        chance = self._rng.random()
        if chance < self._shares.odd_offline:
            return self._rng.randrange(1, ODD_OFFLINE)
        if chance < _NOTES_NO_START:
            return None
        spread_s = self._rng.choices((0, 14, 86_400), (85, 10, 5))[0]
        return started_s - self._rng.randint(0, spread_s)

    def _again(self, row: Row) -> Row:
        """Repeat a row in the same second, identically or with another length."""
        if self._rng.random() < self._shares.again_whole:
            return row
        return row._replace(ms_played=row.ms_played + self._rng.randrange(1, 1_000))


def _length_ms(kind: Kind, number: int) -> int:
    """Return the length of an item."""
    if kind == "track":
        return catalogue.track(number).duration_ms
    return 1_200_000 + number * 7_919_333 % 3_600_000


def _ends(kind: Kind, number: int, ms_played: int) -> tuple[str | None, ...]:
    """Return the possible reasons for the end of such a play; frequent ones are repeated."""
    if ms_played == 0:
        return ("trackerror", "unknown", "fwdbtn", "backbtn", "", None)
    if ms_played < SHORT_MS:
        return (*("fwdbtn",) * 8, "backbtn", "clickrow", "endplay", "unexpected-exit")
    if ms_played == _length_ms(kind, number):
        return ("trackdone",)
    return ("endplay", "fwdbtn", "logout", "remote", "unexpected-exit-while-paused")
