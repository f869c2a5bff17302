"""Formats values as text for the templates, mostly as filters. Pure.

An unknown value (None) becomes an en dash, never 0.
"""

from datetime import date, datetime
from decimal import Decimal

UNKNOWN = "–"
ALMOST = "\N{ALMOST EQUAL TO} "
THIN = "\N{NARROW NO-BREAK SPACE}"
LONG_H = 100
"""From this many hours on, minutes are omitted."""

Number = int | float | Decimal


def number(value: Number | None) -> str:
    """Write a count: 9412 as `9,412`; a fraction is rounded to one digit."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def duration(ms: Number | None) -> str:
    """Write a length of time, in milliseconds: `521 h`, `32 h 11`, `47 min`, `21 s`."""
    if ms is None:
        return UNKNOWN
    minutes = round(float(ms) / 60_000)
    if minutes >= LONG_H * 60:
        return f"{number(round(minutes / 60))} h"
    if minutes >= 60:  # noqa: PLR2004 - an hour
        return f"{minutes // 60} h {minutes % 60:02}"
    seconds = round(float(ms) / 1000)
    if 0 < seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds} s"
    return f"{minutes} min"


def clock(ms: Number | None, *, is_estimated: bool = False) -> str:
    """Write the length of one play, in milliseconds: `4:02`, an estimate as `≈ 4:02`."""
    if ms is None:
        return UNKNOWN
    minutes, seconds = divmod(round(float(ms) / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return ALMOST + text if is_estimated else text


def percent(share: Number | None) -> str:
    """Write a share from 0 to 1: 0.123 as `12 %`; below 10 % with one decimal: `1.2 %`."""
    if share is None:
        return UNKNOWN
    value = 100 * float(share)
    rounded = f"{value:.1f}" if 0 < abs(value) < 9.95 else f"{value:.0f}"  # noqa: PLR2004 - 10 %
    if rounded == "0.0":
        return f"< 0.1{THIN}%"
    return f"{rounded.removesuffix('.0')}{THIN}%"


def change(now: Number | None, before: Number | None) -> float | None:
    """Return the growth as a share of `before`: 0.04 for 4 %; None if unknown or `before` is 0."""
    if now is None or not before:
        return None
    return float(now) / float(before) - 1


def delta(growth: float | None) -> str:
    """Write a growth, given as a share: `▲ 4 %`, `▼ 7 %`, `±0 %`."""
    if growth is None:
        return UNKNOWN
    if abs(growth) < 0.005:  # noqa: PLR2004 - rounds to 0 %
        return f"±0{THIN}%"
    sign = "▲" if growth > 0 else "▼"
    percents = round(abs(growth) * 100)
    if -1 < growth < 0:
        # A value that is still above 0 has not fallen by 100 %.
        percents = min(percents, 99)
    return f"{sign} {number(percents)}{THIN}%"


def move(rank: int, rank_before: int | None) -> str:
    """Write the change of a rank: `▲ 2`, `▼ 1`, `=`, `new`."""
    if rank_before is None:
        return "new"
    if rank == rank_before:
        return "="
    return f"▲ {rank_before - rank}" if rank < rank_before else f"▼ {rank - rank_before}"


def day(value: date | None) -> str:
    """Write a date, or the date of an instant: `5 Mar 2025`."""
    return UNKNOWN if value is None else f"{value.day} {value:%b} {value.year}"


def weekday(value: date) -> str:
    """Write a date with its weekday: `Wed 5 Mar 2025`."""
    return f"{value:%a} {day(value)}"


def month(value: date | None) -> str:
    """Write a month: `Mar 2025`."""
    return UNKNOWN if value is None else f"{value:%b} {value.year}"


def time_of_day(value: datetime | None) -> str:
    """Write the time of an instant: `21:42`."""
    return UNKNOWN if value is None else f"{value:%H:%M}"


def artist_note(name: str) -> str:
    """Explain the artist name "Various Artists"; empty for any other name.

    An export names the artist of the album, which is "Various Artists" for a compilation.
    """
    if name.strip().casefold() != "various artists":
        return ""
    return "the artist of the albums; the artists of the tracks are unknown"


FILTERS = {
    "number": number,
    "duration": duration,
    "clock": clock,
    "percent": percent,
    "delta": delta,
    "day": day,
    "weekday": weekday,
    "month": month,
    "time_of_day": time_of_day,
}
