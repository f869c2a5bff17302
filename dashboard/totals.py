"""The totals of a period and of the previous one, for the pages Overview and Review."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from dashboard.amounts import card, is_known, number_card, time_of
from dashboard.ask import Row
from dashboard.period import Span
from dashboard.view import View

Link = Callable[..., str | None]
"""Returns the address of a page, like `View.url`; None if there is no page to open."""
AMOUNTS = ("plays", "ms", "ms_estimated")
NOTHING: Row = dict.fromkeys(AMOUNTS, 0)
UNKNOWN_TOTALS: Row = {**dict.fromkeys(AMOUNTS), "days": None, "missing": False}
"""The sums of a period without a known date."""


def days_of(view: View, span: Span | None) -> list[Row]:
    """Return a row for each date of a span, with or without plays; `missing` marks open gaps."""
    if span is None:
        return []
    rows = view.ask.rows("totals.days", begin=span.first, until=span.last)
    known = {row["day"]: row for row in rows}
    lost = {day for gap in view.timeline.missing(span) for day in gap.dates}
    return [{"day": day, **known.get(day, NOTHING), "missing": day in lost} for day in span.dates]


def months_of_days(days: list[Row]) -> list[Row]:
    """Return the sums of each month over its days; `day` is the first of the month."""
    months = groupby(days, key=lambda row: row["day"].replace(day=1))
    return [{"day": month, **_added(list(rows))} for month, rows in months]


def total(days: Sequence[Row]) -> Row:
    """Return the sums over days, and the number of days with plays; None if no day is known."""
    return _added(days) if any(is_known(row) for row in days) else UNKNOWN_TOTALS


def _added(days: Sequence[Row]) -> Row:
    return {
        **{name: sum(row[name] for row in days) for name in AMOUNTS},
        "days": sum(row["plays"] > 0 for row in days),
        "missing": any(row["missing"] for row in days),
    }


def cards(
    view: View,
    days: Sequence[Row],
    before_days: Sequence[Row],
    tops: Mapping[str, list[Row]],
    link: Link,
) -> list[dict[str, Any]]:
    """Return the arguments of the macro `parts.card` for six totals of the period.

    Args:
        view: The request for the period.
        days: The days of the period, from `days_of`.
        before_days: The days of the previous period, from `days_of`.
        tops: The top artists under `artist` and the top tracks under `track`, from
            `ranking.ranked`.
        link: Returns the address of a page.
    """
    now, before = total(days), total(before_days)
    return [
        number_card(
            view,
            "plays",
            now["plays"],
            before["plays"],
            href=link("top", kind="track", measure=None),
        ),
        card(
            view,
            "listened",
            time_of(now),
            time_of(before),
            now=now["ms"],
            before=before["ms"],
            href=link("top", kind="track", measure="minutes"),
        ),
        *(
            number_card(view, f"{kind}s", *_items(now, tops[kind]), href=link("top", kind=kind))
            for kind in ("artist", "track")
        ),
        number_card(view, "days with music", now["days"], before["days"], href=link("sessions")),
        number_card(
            view,
            "new artists, skips too",
            *heard_first(view, "artists"),
            href=link("discovery"),
        ),
    ]


def heard_first(view: View, items: str) -> tuple[int | None, int | None]:
    """Count the artists, tracks or albums first played in the period, and in the previous one.

    The first count is None instead of 0 if every date of the period is unknown.
    """
    if view.known is None:
        return None, None
    (row,) = view.ask.rows("totals.heard_first", {"items": items})
    return view.counted(row["now"]), row["before"]


def courses(view: View, months: list[Row]) -> list[list[int]]:
    """Return the sparkline of each of `cards`, in the same order: one value for each month."""
    firsts = [row["day"] for row in months]
    counts = [
        {row["listened_month"]: row["items"] for row in rows}
        for rows in (
            view.ask.rows("totals.items", {"items": "artists"}),
            view.ask.rows("totals.items", {"items": "tracks"}),
            view.ask.rows("totals.artists_heard_first"),
        )
    ]
    artists, tracks, found = ([each.get(first, 0) for first in firsts] for each in counts)
    plays, ms, days = ([row[name] for row in months] for name in ("plays", "ms", "days"))
    return [plays, ms, artists, tracks, days, found]


def _items(now: Row, rows: list[Row]) -> tuple[int | None, int | None]:
    """Return how many items have plays that count, in the period and in the previous one."""
    if now["plays"] is None:
        return None, None
    return (rows[0]["items"], rows[0]["items_before"]) if rows else (0, None)
