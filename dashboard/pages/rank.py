"""The page Rank: how the ranks of the period's top ten artists change from step to step."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from dashboard.amounts import in_words, month_label, step_name, step_of
from dashboard.ask import Row
from dashboard.drawing import line, spread
from dashboard.format import UNKNOWN
from dashboard.period import add_months
from dashboard.view import View

TEN = 10
APART = 6.8
"""Minimum distance of names, percent of the height."""
MOST_MARKS = 8
MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    step = step_of(view.shown)
    rows = view.ask.rows("rank.artists", None, step=step, **_bounds(view, step))
    starts = _starts(view, step)
    items = [list(group) for _, group in groupby(rows, lambda row: row["artist_id"])]
    series = [_series(view, item, starts, step) for item in items]
    for one, end in zip(series, spread([each["line"].end for each in series], APART), strict=True):
        one["end"] = end
    every = -(-len(starts) // MOST_MARKS)
    wide = max(len(starts) - 1, 1)
    return {
        "step": step,
        "series": series,
        "marks": [
            (100 * at / wide, _mark(view, start, step))
            for at, start in enumerate(starts)
            if at % every == 0
        ],
        "ranks": [(100 * (rank - 1) / (TEN - 1), str(rank)) for rank in range(1, TEN + 1)],
        "table": [[(one["name"], one["href"]), *one["ranks"]] for one in series],
        "heads": ["Artist", *(step_name(start, step) for start in starts)],
    }


def _bounds(view: View, step: str) -> dict[str, date | None]:
    """For weekly steps, bind dates so that no view by month is read, because weeks cross months."""
    if step != "week":
        return {}
    none = dict.fromkeys(("months_first", "months_last", "tail_first", "tail_last"))
    return {**none, "head_first": view.shown.first, "head_last": view.shown.last}


def _mark(view: View, start: date, step: str) -> str:
    if step == "month":
        return month_label(view, start)
    return step_name(start, step)


def _starts(view: View, step: str) -> list[date]:
    """Return the first day of each week, month, quarter or year of the period."""
    shown = view.shown
    if step == "week":
        first = shown.first - timedelta(days=shown.first.weekday())
        return [first + timedelta(days=7 * at) for at in range((shown.last - first).days // 7 + 1)]
    months = MONTHS_OF[step]
    first = shown.first.replace(month=(shown.first.month - 1) // months * months + 1, day=1)
    starts = [first]
    while (following := add_months(starts[-1], months)) <= shown.last:
        starts.append(following)
    return starts


def _series(view: View, item: Iterable[Row], starts: list[date], step: str) -> dict[str, Any]:
    by_start = {row["starts_on"]: row for row in item}
    rows = [by_start.get(start) for start in starts]
    known = next(iter(by_start.values()))
    name = known["artist_name"]
    hrefs = [
        view.url("artist", item=known["artist_id"], period=_period(view, start, step))
        for start in starts
    ]
    return {
        "name": name,
        "href": view.url("artist", item=known["artist_id"]),
        "line": line([row["rank"] if row else None for row in rows], TEN, 1),
        "titles": [
            f"{name}, {step_name(start, step)}: rank {row['rank']}, {_worth(view, row)}"
            if row
            else f"{name}, {step_name(start, step)}: no play that counts"
            for start, row in zip(starts, rows, strict=True)
        ],
        "hrefs": hrefs,
        "ranks": [
            (str(row["rank"]), href) if row else UNKNOWN
            for row, href in zip(rows, hrefs, strict=True)
        ],
    }


def _period(view: View, start: date, step: str) -> str:
    """Return the URL's period of one step; a week is limited to the shown dates."""
    if step == "week":
        last = min(start + timedelta(days=6), view.shown.last)
        return f"{max(start, view.shown.first)}..{last}"
    if step == "month":
        return f"{start:%Y-%m}"
    if step == "year":
        return f"{start:%Y}"
    return f"{start}..{add_months(start, MONTHS_OF[step]) - timedelta(days=1)}"


def _worth(view: View, row: Row) -> str:
    return in_words(view, row | {"ms": row["value"], "plays": row["value"]})
