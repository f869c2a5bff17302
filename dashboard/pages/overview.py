"""The page Overview: totals beside the previous period's, top items, all days, last plays."""

from itertools import accumulate
from typing import Any

from dashboard import totals
from dashboard.amounts import MINUTE_MS, in_words
from dashboard.ask import Row
from dashboard.ranking import KINDS, ranked
from dashboard.view import View

LONGEST_BY_DAY = 400
"""The longest period, in days, that is drawn by day; a longer one is drawn by month."""
MEAN_DAYS = 7
TOPS = 8


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    by_day = view.shown.days <= LONGEST_BY_DAY
    days = totals.days_of(view, view.known)
    months = totals.months_of_days(days)
    tops = {kind: ranked(view, kind, TOPS) for kind in KINDS}
    cards = totals.cards(view, days, totals.days_of(view, view.before), tops, view.url)
    if by_day:
        # A longer period is drawn by month.
        for card, points in zip(cards, totals.courses(view, months), strict=True):
            card["points"] = points
    return {
        "by_day": by_day,
        "days": days if by_day else months,
        "months": months,
        "now": totals.total(days),
        "cards": cards,
        "tops": tops,
        "last_plays": view.ask.rows("overview.last_plays"),
        **unknown(view),
        "open_imports": view.ask.row("overview.open_imports")["uploads"],
        "bars": bars(view, days if by_day else months, by_day=by_day),
    }


def unknown(view: View) -> dict[str, Any]:
    """Return the period's open gaps; if it ends after the last poll or play, also that date."""
    missing = view.timeline.missing(view.shown)
    until = view.listener.last_known_on
    since = [span for span in missing if until and span.first > until]
    return {
        "gaps": [span for span in missing if span not in since],
        "known_until": until if since else None,
    }


def bars(view: View, days: list[Row], *, by_day: bool) -> Row:
    """Return a bar for each day or month; a calendar is drawn from the same days."""
    data = [datum(view, row["day"].isoformat(), row) for row in days]
    if by_day:
        data = [each | found for each, found in zip(data, means(view, days), strict=True)]
    return chart(view, data, by_day=by_day)


def datum(view: View, on: str, row: Row) -> Row:
    """Return one datum of a chart: the plays or minutes of a day or month, and their text."""
    return {
        "on": on,
        "value": round(value(view, row), 1),
        "text": in_words(view, row),
        **({"missing": True} if row.get("missing") else {}),
    }


def chart(view: View, data: list[Row], *, by_day: bool) -> Row:
    """Return the arguments of a chart by day or month, with the address that a click opens.

    In the address `DATE` stands for the date of the clicked datum, `MONTH` for its month.
    """
    opens = view.url("day", day="DATE") if by_day else view.url("overview", period="MONTH")
    return {"data": data, "byDay": by_day, "opens": opens}


def value(view: View, row: Row) -> float:
    """Return the value of a row in the chosen measure: plays or minutes."""
    return float(row["ms"] / MINUTE_MS if view.by_time else row["plays"])


def means(view: View, days: list[Row]) -> list[Row]:
    """Return each day's mean of the 7 days that end with it, as a number and as text.

    The dict of a day without a mean is empty.
    """
    values = [None if row["missing"] else value(view, row) for row in days]
    return [
        {}
        if each is None
        else {
            "mean": each,
            "meanText": mean_in_words(view, each, days[at + 1 - MEAN_DAYS : at + 1]),
        }
        for at, each in enumerate(mean(values))
    ]


def mean_in_words(view: View, average: float, days: list[Row]) -> str:
    """Write a mean, marked as an estimate if the time of one of its days is estimated."""
    estimated = sum(row["ms_estimated"] for row in days)
    row = {"plays": average, "ms": average * MINUTE_MS, "ms_estimated": estimated}
    return in_words(view, row)


def mean(values: list[float | None]) -> list[float | None]:
    """Return for each day the mean of 7 days: itself and the 6 before; unknown days are left out.

    None for the first six days, and if all seven days are unknown.
    """
    sums = [0.0, *accumulate(value or 0.0 for value in values)]
    counts = [0, *accumulate(value is not None for value in values)]
    starts = range(len(values) - MEAN_DAYS + 1)
    means = [
        round((sums[at + MEAN_DAYS] - sums[at]) / known, 1) if known else None
        for at in starts
        for known in [counts[at + MEAN_DAYS] - counts[at]]
    ]
    return [None] * min(MEAN_DAYS - 1, len(values)) + means
