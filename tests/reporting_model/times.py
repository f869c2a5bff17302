"""The views by time: hours, days, streaks, sessions."""

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction

from tests.reporting_model.counts import counts, skips
from tests.reporting_model.history import RULES, History, Play, grouped
from tests.reporting_model.world import Row

DAY = timedelta(days=1)
PAUSE = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)


def listening_by_hour(history: History) -> Iterator[Row]:
    groups = grouped(history.plays, lambda play: (play.listener, play.date, play.local.hour))
    for (listener, day, hour), plays in groups.items():
        yield {
            "listener": listener,
            "listened_date": day,
            "listened_month": day.replace(day=1),
            "hour": hour,
            "weekday": day.isoweekday(),
            **counts(plays),
            **skips(plays),
        }


def listening_daily(history: History) -> Iterator[Row]:
    by_day = grouped(history.plays, lambda play: (play.listener, play.date))
    for listener in history.world.listeners():
        day = _first_known(history, listener)
        while day <= history.today(listener):
            known = coverage(history, listener, day)
            in_gap = is_in_a_gap(history, listener, day)
            yield {
                "listener": listener,
                "listened_date": day,
                "listened_month": day.replace(day=1),
                "weekday": day.isoweekday(),
                **counts(by_day.get((listener, day), [])),
                **skips(by_day.get((listener, day), [])),
                "coverage": known,
                "has_open_gap": in_gap,
                "is_at_least": in_gap and known < 1,
            }
            day += DAY


def _first_known(history: History, listener: str) -> date:
    plays = [play.ended_at for play in history.of(listener)]
    polls = [at for who, at in history.world.polls if who == listener]
    return min(plays + polls).astimezone(history.zone(listener)).date()


def borders(history: History, listener: str, day: date) -> tuple[datetime, datetime]:
    """Return the start and the end of a date in the listener's zone; today ends now."""
    zone = history.zone(listener)
    begin, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + DAY))
    return begin, min(end, history.world.now)


def open_gaps(history: History, listener: str) -> list[tuple[datetime, datetime]]:
    now = history.world.now
    return [(start, now if end is None else end)
            for who, start, end in history.world.gaps if who == listener]  # fmt: skip


def is_in_a_gap(history: History, listener: str, day: date) -> bool:
    begin, end = borders(history, listener, day)
    gaps = open_gaps(history, listener)
    return any(max(begin, start) < min(end, stop) for start, stop in gaps)


def coverage(history: History, listener: str, day: date) -> Fraction:
    """Return the share of the elapsed day in which no play is missing.

    This is the time within an upload, or between the first and the last poll, without open gaps.
    """
    begin, end = borders(history, listener, day)
    seen = [(start, stop) for who, start, stop in history.world.spans if who == listener]
    polls = [at for who, at in history.world.polls if who == listener]
    if polls:
        seen.append((min(polls), max(polls)))
    missed = open_gaps(history, listener)
    inside = {at for stretch in seen + missed for at in stretch if begin < at < end}
    cuts = sorted(inside | {begin, end})
    known = timedelta()
    for start, stop in itertools.pairwise(cuts):
        if _holds(seen, start) and not _holds(missed, start):
            known += stop - start
    second = timedelta(seconds=1)
    return Fraction(known / MICROSECOND) / Fraction(max(end - begin, second) / MICROSECOND)


MICROSECOND = timedelta(microseconds=1)


def _holds(stretches: list[tuple[datetime, datetime]], at: datetime) -> bool:
    return any(start <= at < stop for start, stop in stretches)


def streaks(history: History) -> Iterator[Row]:
    for listener in sorted({play.listener for play in history.plays}):
        for rule in RULES:
            days = {play.date for play in history.of(listener) if play.counted[rule]}
            for streak in _runs(history, listener, sorted(days)):
                first, last = streak[0], streak[-1]
                yesterday = history.today(listener) - DAY
                yield {
                    "listener": listener,
                    "counting_rule": rule,
                    "first_date": first,
                    "last_date": last,
                    "days": len(streak),
                    "unknown_days": (last - first).days + 1 - len(streak),
                    "is_current": _all_unknown(history, listener, last + DAY, yesterday),
                }


def _runs(history: History, listener: str, days: list[date]) -> list[list[date]]:
    """Split days with plays into streaks. Days in an open gap do not end a streak."""
    runs: list[list[date]] = []
    for day in days:
        if runs and _all_unknown(history, listener, runs[-1][-1] + DAY, day - DAY):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _all_unknown(history: History, listener: str, first: date, last: date) -> bool:
    while first <= last:
        if not is_in_a_gap(history, listener, first):
            return False
        first += DAY
    return True


def sessions(history: History) -> Iterator[Row]:
    for listener in sorted({play.listener for play in history.plays}):
        for plays in _sittings(history.of(listener)):
            begin, end = plays[0].started_at, plays[-1].ended_at
            local = begin.astimezone(plays[0].zone).replace(tzinfo=None, fold=0)
            yield {
                "listener": listener,
                "started_at": begin,
                "ended_at": end,
                "started_at_local": local,
                "listened_date": local.date(),
                "listened_month": local.date().replace(day=1),
                "hour": local.hour,
                "weekday": local.isoweekday(),
                **counts(plays),
                "length_minutes": Fraction((end - begin) / MICROSECOND) / 60_000_000,
            }


def _sittings(plays: list[Play]) -> list[list[Play]]:
    found: list[list[Play]] = []
    for play in plays:
        if found and play.started_at - found[-1][-1].ended_at <= PAUSE:
            found[-1].append(play)
        else:
            found.append([play])
    return found
