"""The page of one artist, track or album: its plays by month and day, ranks and last plays."""

from functools import partial
from typing import Any

from werkzeug.exceptions import NotFound

from dashboard.amounts import places
from dashboard.ask import Row
from dashboard.pages.overview import LONGEST_BY_DAY, chart, datum, value
from dashboard.period import month_end
from dashboard.ranking import KINDS
from dashboard.totals import NOTHING
from dashboard.view import View

BELONGS = {"artist": ("tracks", "albums"), "track": ("albums",), "album": ("tracks",)}
"""The lists on the page of each kind of item."""
MOST = 20
"""Tracks or albums of an item."""


def page(view: View, item: int, *, kind: str) -> dict[str, Any]:
    """Return the variables of the page's template.

    Raises:
        NotFound: The listener has no play of the item.
    """

    def rows(statement: str, **parameters: Any) -> list[Row]:
        return view.ask.rows(f"items.{statement}", KINDS[kind], item=item, **parameters)

    found = rows("item")
    if not found:
        raise NotFound(
            f"{view.listener.listener} has played no such {kind}. Choose one on the page Top."
        )
    by_day = view.shown.days <= LONGEST_BY_DAY
    if kind == "artist" and view.period.text == "all" and not by_day:
        sums = rows("sums_of_artist", most=MOST)
    else:
        sums = rows("sums", by_day=by_day, most=MOST)
    days = [row for row in sums if row["is_date"]]
    months = rows("months")
    ranks = rows("ranks")
    return {
        "kind": kind,
        "item": found[0],
        "days": days,
        "months": months,
        # During a refresh an item's months may be deleted before the item.
        "most_in_a_month": max((row["plays"] for row in months), default=None),
        "life": life(view, months),
        "calendar": calendar(view, days) if view.known and by_day else None,
        "ranks": ranks,
        "rank_line": rank_line(view, kind, ranks),
        "lists": {name: belongs(view, sums, name) for name in BELONGS[kind]},
        "last_plays": rows("last_plays"),
    }


artist = partial(page, kind="artist")
track = partial(page, kind="track")
album = partial(page, kind="album")


def belongs(view: View, sums: list[Row], name: str) -> list[Row]:
    """Return the top tracks or albums of the item, with ranks; time, then title, orders ties."""
    is_track = name == "tracks"
    rows = [
        row for row in sums if not row["is_date"] and row["is_track"] == is_track and row["title"]
    ]
    rows.sort(key=lambda row: (-value(view, row), -row["ms"], row["title"]))
    rows = rows[:MOST]
    found = places([value(view, row) for row in rows])
    return [{**row, "rank": place} for place, row in zip(found, rows, strict=True)]


def calendar(view: View, days: list[Row]) -> Row:
    """Return a calendar square for each date of the period since the listener's first play."""
    known = {row["listened_date"]: row for row in days}
    lost = {day for gap in view.timeline.missing(view.shown) for day in gap.dates}
    dates = view.known.dates if view.known else []
    rows = ((date, {**known.get(date, NOTHING), "missing": date in lost}) for date in dates)
    return chart(view, [datum(view, date.isoformat(), row) for date, row in rows], by_day=True)


def life(view: View, months: list[Row]) -> Row:
    """Return a bar for each month with a play; a click on a bar opens this page for that month."""
    data = [datum(view, row["listened_month"].isoformat(), row) for row in months]
    return chart(view, data, by_day=False) | {"opens": view.here(period="MONTH")}


def rank_line(view: View, kind: str, ranks: list[Row]) -> Row:
    """Return a chart of the item's rank by month; a point links to the top list of that month."""
    data = [{"on": row["listened_month"].isoformat(), "rank": row["rank"]} for row in ranks]
    return {
        "data": data,
        "opens": view.url("top", kind=kind, period="MONTH"),
        "first": view.shown.first.replace(day=1).isoformat(),
        "last": month_end(view.shown.last).isoformat(),
    }
