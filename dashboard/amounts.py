"""Amounts of listening in the measure that the reader chose: plays or time.

A row holds both: `plays`, counted by the chosen rule, and `ms`, of which `ms_estimated` are
estimated, if the statement selects that column.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from dashboard.ask import Row
from dashboard.drawing import Bar, Columns, columns, highest
from dashboard.format import ALMOST, UNKNOWN, change, duration, month, number
from dashboard.period import Span, add_months
from dashboard.view import View

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
LONG_MS = 3 * HOUR_MS
"""Above this an axis counts hours instead of minutes."""
STEPS = {"week": 92, "month": 400, "quarter": 1100}
"""The longest spans, in days, for which ranks use these steps."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = tuple(f"{date(2000, number, 1):%b}" for number in range(1, 13))


def amount(view: View, row: Row) -> int:
    """Return the value of a row in the chosen measure: milliseconds for time, else plays."""
    value: int = row["ms" if view.by_time else "plays"]
    return value


def in_words(view: View, row: Row | None) -> str:
    """Write the time or plays of a row: `32 h 11`, or `1 play`. Without a row, an en dash.

    If the row is marked `missing`, because an open gap may hide plays, the text starts with
    `at least`, or is an en dash if the row has neither plays nor time.
    """
    if row is None or not is_known(row):
        return UNKNOWN
    words = time_of(row) if view.by_time else plays(row["plays"])
    return f"at least {words}" if row.get("missing") else words


def is_known(row: Row) -> bool:
    """False if a row has neither plays nor time, and an open gap may hide some; else True."""
    return bool(row["plays"] or row["ms"] or not row.get("missing"))


def time_of(row: Row) -> str:
    """Write the listening time of a row, after `≈` if part of it is estimated."""
    return (ALMOST if row.get("ms_estimated") else "") + duration(row["ms"])


def plays(count: int) -> str:
    """Write a number of plays: `1 play`, `9,412 plays`."""
    return several(count, "play")


def several(count: int, noun: str) -> str:
    """Write a count of things: `1 day`, `12 days`."""
    return f"{number(count)} {noun}{'' if count == 1 else 's'}"


def texts(view: View, row: Row) -> list[str]:
    """Write plays and time of a row, the chosen measure first."""
    both = [number(row["plays"]), time_of(row)]
    return both[::-1] if view.by_time else both


def places(values: Sequence[Any]) -> list[int]:
    """Return the rank of each of the descending `values`; equal values share a rank: 1, 1, 3."""
    return [values.index(value) + 1 for value in values]


def share_of(rows: Sequence[Row], view: View, wanted: Sequence[Row]) -> float | None:
    """Return the share of `wanted` in the plays or time of `rows`, 0 to 1; None if that is zero."""
    total = sum(amount(view, row) for row in rows)
    return sum(amount(view, row) for row in wanted) / total if total else None


def drawn(view: View, bars: Sequence[Bar]) -> tuple[Columns, list[tuple[float, str]]]:
    """Scale a bar chart; return it with its axis labels, in plays, hours or minutes.

    A label is a pair: its position in percent from the bottom, and its text.
    """
    if not view.by_time:
        chart = columns(bars)
        return chart, [(at, short(value)) for at, value in chart.ticks]
    unit, name = (HOUR_MS, "h") if highest(bars) >= LONG_MS else (MINUTE_MS, "min")
    chart = columns(bars, unit)
    return chart, [(at, f"{short(value)} {name}" if value else "0") for at, value in chart.ticks]


def short(value: float) -> str:
    """Write the number beside an axis tick: 12000 as `12k`, 9000 as `9,000`."""
    if value >= 10_000:  # noqa: PLR2004 - longer ones are cut beside the axis
        return f"{value / 1000:g}k"
    return f"{value:,g}"


def card(
    view: View,
    label: str,
    value: str,
    was: str = "",
    *,
    now: float | None = None,
    before: float | None = None,
    about: str = "",
    href: str | None = None,
) -> dict[str, Any]:
    """Return the arguments of the macro `parts.card`, which shows one number of the period.

    `was` is the previous period's value in words. `about` is shown if there is no such value.
    """
    if view.before is not None and was not in ("", UNKNOWN):
        name = view.before.name
        # Two dates would be too long here, and the head of the page names them.
        was = f"{was} before" if ".." in view.before.text else f"{was} in {name}"
    else:
        was = ""
    growth = change(now, before)
    return {
        "label": label,
        "value": value,
        "href": href,
        "growth": growth,
        "was": was if growth is not None else None,
        "about": was or about,
    }


def number_card(
    view: View, label: str, now: int | None, before: int | None, *, href: str | None = None
) -> dict[str, Any]:
    """Return the arguments of the macro `parts.card` for a count and the count before."""
    return card(view, label, number(now), number(before), now=now, before=before, href=href)


def step_of(span: Span) -> str:
    """Return the time step for a rank chart of a span: week, month, quarter or year."""
    return next((step for step, most in STEPS.items() if span.days <= most), "year")


def step_name(day: date, step: str) -> str:
    """Name a week, month, quarter or year by its start: `3 Mar`, `Mar 2025`, `Q1 2025`, `2025`."""
    if step == "year":
        return str(day.year)
    if step == "quarter":
        return f"Q{(day.month + 2) // 3} {day.year}"
    return month(day) if step == "month" else f"{day.day} {day:%b}"


def months_of(span: Span) -> list[date]:
    """Return the first day of each month that a span touches."""
    first = span.first.replace(day=1)
    count = (span.last.year - first.year) * 12 + span.last.month - first.month + 1
    return [add_months(first, number) for number in range(count)]


def month_label(view: View, first: date) -> str:
    """Write a month as an axis label: `Mar`; if the period spans years, January is its year."""
    if first.month == 1 and view.shown.first.year < view.shown.last.year:
        return str(first.year)
    return f"{first:%b}"


def with_table(curves: list[dict[str, Any]]) -> dict[str, Any]:
    """Return curves over the same time steps, and the same values as the rows of a table.

    A row starts with the name and the address of its step.
    """
    steps = zip(curves[0]["names"], curves[0]["hrefs"], strict=True)
    values = zip(*(curve["values"] for curve in curves), strict=True)
    return {
        "curves": curves,
        "table": [(step, *texts) for step, texts in zip(steps, values, strict=True)],
    }


def drawn_counts(bars: Sequence[Bar]) -> dict[str, Any]:
    """Return a bar chart of counts, and the same as a table; a bar's title is `name: count`."""
    chart = columns(bars)
    return {
        "bars": chart.bars,
        "ticks": [(at, short(value)) for at, value in chart.ticks if value == int(value)],
        "table": [tuple(bar.title.split(": ", 1)) for bar in bars],
    }
