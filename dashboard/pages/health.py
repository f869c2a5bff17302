"""The page Health: how recent and how complete the plays are, and the uploads."""

from calendar import monthrange
from datetime import date, datetime
from typing import Any

from dashboard.amounts import MONTHS, WEEKDAYS, card, months_of, plays
from dashboard.ask import Row
from dashboard.drawing import Cell
from dashboard.format import UNKNOWN, month, number, percent, time_of_day, weekday
from dashboard.pages.skips import share
from dashboard.period import DAY
from dashboard.view import View
from shared.errors import HistoryError

MOST_MONTHS = 14
"""Longer periods are shown by month, because a longer calendar is hard to read."""
ALL_KNOWN = 0.9995
"""Coverage of at least this is shown as complete."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    fresh = next(iter(view.ask.rows("health.freshness")), None)
    features = view.ask.row("health.features")
    sources = view.ask.row("health.sources")
    by_day = len(months_of(view.shown)) <= MOST_MONTHS
    calendar = _calendar(view, view.ask.rows("health.days")) if by_day else None
    years = None if by_day else _years(view, view.ask.rows("health.months"))
    return {
        "cards": _cards(view, fresh, features),
        "weekdays": WEEKDAYS,
        "calendar": calendar,
        "years": years,
        "gaps": view.ask.rows("health.gaps"),
        "imports": view.ask.rows("health.imports"),
        "sources": _sources(sources),
        **_operations(view),
    }


def _cards(view: View, fresh: Row | None, features: Row) -> list[dict[str, Any]]:
    known = fresh or dict.fromkeys(
        ("last_played_at_local", "last_polled_at_local", "open_gaps", "estimated_share")
    )
    return [
        _clock_card(view, "last play", known["last_played_at_local"], "none yet"),
        _clock_card(view, "last poll", known["last_polled_at_local"], "no login yet"),
        card(view, "open gaps", number(known["open_gaps"]), about="of all time"),
        card(
            view,
            "minutes that are estimated",
            percent(known["estimated_share"]),
            about="of all time; an export holds the exact ones",
        ),
        card(
            view,
            "plays with audio features",
            percent(share(features["known"], features["plays"])),
            about=f"{number(features['known'])} of {plays(features['plays'] or 0)} of all time",
        ),
    ]


def _clock_card(view: View, label: str, at: datetime | None, never: str) -> dict[str, Any]:
    if at is None:
        return card(view, label, UNKNOWN, about=never)
    on = at.date()
    about = {0: "today", 1: "yesterday"}.get((view.listener.today - on).days, weekday(on))
    return card(view, label, time_of_day(at), about=about, href=view.day_url(on))


def _calendar(view: View, rows: list[Row]) -> list[dict[str, Any]]:
    """Return a calendar for each month of the period: weeks of days, shaded by coverage."""
    known = {row["listened_date"]: row for row in rows}
    return [
        {"name": month(first), "weeks": _weeks(view, first, known)}
        for first in months_of(view.shown)
    ]


def _weeks(view: View, first: date, known: dict[date, Row]) -> list[list[Cell | None]]:
    days = [first + number * DAY for number in range(monthrange(first.year, first.month)[1])]
    cells: list[Cell | None] = [None] * first.weekday()
    cells += [_day_cell(view, each, known.get(each)) for each in days]
    cells += [None] * (-len(cells) % len(WEEKDAYS))
    return [cells[at : at + len(WEEKDAYS)] for at in range(0, len(cells), len(WEEKDAYS))]


def _day_cell(view: View, each: date, row: Row | None) -> Cell:
    if row is None:
        return Cell(None, UNKNOWN, f"{weekday(each)}: nothing is known")
    coverage = float(row["coverage"])
    return Cell(
        coverage,
        percent(coverage),
        f"{weekday(each)}: {_known(coverage)}, {plays(row['plays'])}",
        view.day_url(each),
        is_gap=row["has_open_gap"],
    )


def _known(coverage: float) -> str:
    return "all known" if coverage >= ALL_KNOWN else f"{percent(coverage)} known"


def _years(view: View, rows: list[Row]) -> dict[str, Any]:
    known = {row["listened_month"]: row for row in rows}
    years = range(view.shown.last.year, view.shown.first.year - 1, -1)
    return {
        "heads": MONTHS,
        "rows": [
            (
                str(year),
                view.url("health", period=str(year)),
                [_month_cell(view, date(year, number, 1), known) for number in range(1, 13)],
            )
            for year in years
        ],
    }


def _month_cell(view: View, first: date, known: dict[date, Row]) -> Cell:
    row = known.get(first)
    if row is None:
        return Cell(None, UNKNOWN, f"{month(first)}: nothing is known")
    coverage = float(row["coverage"])
    return Cell(
        coverage,
        percent(coverage),
        f"{month(first)}: {_known(coverage)}, {plays(row['plays'])}",
        view.url("health", period=f"{first:%Y-%m}"),
        is_gap=row["has_open_gap"],
    )


def _operations(view: View) -> dict[str, Any]:
    """Return dead letters, queues and logins from `plays status`, or why it cannot be read.

    Only if the URL has the argument `operations`, because it takes 1 to 2 seconds.
    """
    if view.operations is None or "operations" not in view.args:
        return {"can_ask": view.operations is not None}
    try:
        status = view.operations()
    except HistoryError as error:
        return {"refusal": str(error)}
    me = view.listener.listener
    return {
        "operations": {
            "dead_letters": status["dead_letters"],
            "queues": [{"name": name, **depth} for name, depth in status["queues"].items()],
            "days_left": status["token_days_left"].get(me),
            "needs_login_since": status["needs_login_since"].get(me),
            "blocked_until": status["blocked_until"].get(me),
        }
    }


def _sources(row: Row) -> list[dict[str, Any]]:
    """Return the shares of the last 30 days' plays that polls, an export, or both recorded."""
    total = sum(row[key] or 0 for key in ("live", "export", "both"))
    return [
        {
            "name": name,
            "share": share(row[key], total),
            "texts": [number(row[key] or 0), percent(share(row[key], total))],
        }
        for key, name in (
            ("live", "polls alone"),
            ("both", "polls and an export"),
            ("export", "an export alone"),
        )
        if total
    ]
