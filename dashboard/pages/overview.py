"""The overview: numbers against the period before, tops, every day, the last plays."""

from itertools import accumulate, groupby
from typing import Any

from dashboard.ask import Row
from dashboard.pages import top
from dashboard.period import DAY, Span
from dashboard.view import View

LONGEST_BY_DAY = 400
"""Days of the longest period whose days are drawn; of a longer one the months are."""
MEAN_DAYS = 7
TOPS = 8
NO_TOTALS: Row = {"plays": None, "ms": None, "days": None}
"""The period before where there is none."""
NO_ITEMS: Row = {"now": 0, "before": None}


def page(view: View) -> dict[str, Any]:
    """Return what the overview shows."""
    by_day = view.shown.days <= LONGEST_BY_DAY
    gaps = [missing(view.shown, row) for row in view.ask.rows("overview.gaps")]
    days = all_days(view.shown, view.ask.rows("overview.days"), gaps)
    months = by_month(days)
    tops = {kind: top.ranked(view, kind, TOPS) for kind in top.KINDS}
    return {
        "by_day": by_day,
        "days": days if by_day else months,
        "months": months,
        "now": totals(days),
        "before": view.ask.row("overview.before") if view.before else NO_TOTALS,
        "tops": tops,
        "items": {kind: items(rows) for kind, rows in tops.items()},
        "new_artists": view.ask.row("overview.new_artists"),
        "course": course(view, months),
        "last_plays": view.ask.rows("overview.last_plays"),
        "gaps": gaps,
        "open_imports": view.ask.row("overview.open_imports")["uploads"],
        "bars": bars(view, days if by_day else months, by_day=by_day),
    }


def all_days(shown: Span, rows: list[Row], gaps: list[Span]) -> list[Row]:
    """Return a row for every date, those without plays too; `missing` marks those in a gap."""
    known = {row["day"]: row for row in rows}
    lost = {gap.first + at * DAY for gap in gaps for at in range(gap.days)}
    nothing = {"plays": 0, "ms": 0, "ms_estimated": 0}
    days = [shown.first + at * DAY for at in range(shown.days)]
    return [{"day": day, **known.get(day, nothing), "missing": day in lost} for day in days]


def by_month(days: list[Row]) -> list[Row]:
    """Add up the days of each month."""
    months = groupby(days, key=lambda row: row["day"].replace(day=1))
    return [
        {"day": month, **totals(rows)} for month, rows in ((m, list(each)) for m, each in months)
    ]


def course(view: View, months: list[Row]) -> list[Row]:
    """Return the points of the small lines in the cards, one for each month."""
    points = {row["day"]: row for row in months}
    return [
        {**points[row["listened_month"]], **row}
        for row in view.ask.rows("overview.course")
        if row["listened_month"] in points
    ]


def totals(days: list[Row]) -> Row:
    """Add up days; `days` counts those with plays."""
    return {
        **{name: sum(row[name] for row in days) for name in ("plays", "ms", "ms_estimated")},
        "days": sum(row["plays"] > 0 for row in days),
        "missing": any(row["missing"] for row in days),
    }


def items(rows: list[Row]) -> Row:
    """Return how many items there are in all, in the period and in the one before."""
    return {"now": rows[0]["items"], "before": rows[0]["items_before"]} if rows else NO_ITEMS


def missing(shown: Span, gap: Row) -> Span:
    """Return the dates of a gap that the period shows."""
    first = max(gap["first"], shown.first)
    return Span(first, max(first, min(gap["last"], shown.last)))


def bars(view: View, days: list[Row], *, by_day: bool) -> Row:
    """Return the data of the chart and the calendar: a bar for each day or month."""
    means = mean([value(view, row) for row in days]) if by_day else []
    return chart(
        view,
        [
            {
                "on": row["day"].isoformat(),
                "value": round(value(view, row), 1),
                **({"mean": means[at]} if by_day and at >= MEAN_DAYS - 1 else {}),
                **({"missing": True} if row["missing"] else {}),
            }
            for at, row in enumerate(days)
        ],
        by_day=by_day,
    )


def chart(view: View, data: list[Row], *, by_day: bool) -> Row:
    """Return data of days or months for a chart, with the address that each opens.

    In the address `DATE` stands for the date of a datum, `MONTH` for its month.
    """
    opens = view.url("day", day="DATE") if by_day else view.url("overview", period="MONTH")
    return {"data": data, "byDay": by_day, "unit": view.measure, "opens": opens}


def value(view: View, row: Row) -> float:
    """Return what the page measures: plays or minutes."""
    return float(row["ms"] / 60_000 if view.by_time else row["plays"])


def mean(values: list[float]) -> list[float]:
    """Return the mean of each 7 days that end with a day; of the first six, of fewer."""
    sums = [0.0, *accumulate(values)]
    starts = [max(0, at - MEAN_DAYS) for at in range(1, len(sums))]
    return [
        round((sums[at] - sums[start]) / (at - start), 1)
        for at, start in enumerate(starts, start=1)
    ]
