"""Discovery and favourites: new, forgotten and repeated music."""

from datetime import date
from typing import Any

from dashboard.amounts import (
    card,
    drawn_counts,
    month_label,
    number_card,
    places,
    plays,
    several,
    texts,
    with_table,
)
from dashboard.ask import Row
from dashboard.drawing import Bar, line
from dashboard.format import day, month, number, percent
from dashboard.totals import heard_first
from dashboard.view import View

FOUND = 12
MOST_MONTHS = 60
"""A longer period is drawn by year."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    months = view.ask.rows("discovery.months")
    return {
        "cards": _cards(view, months),
        "course": _course(view, months) if len(months) > 1 else None,
        "variety": _variety(view, months) if len(months) > 1 else None,
        "found": {
            kind: _found(view, view.ask.rows(f"discovery.found_{kind}s", most=FOUND), kind)
            for kind in ("artist", "track")
        },
        "forgotten": [_forgotten(view, row) for row in view.ask.rows("discovery.forgotten")],
        "obsessions": [_obsession(view, row) for row in view.ask.rows("discovery.obsessions")],
        "together": view.ask.rows("discovery.together") if len(view.listeners) > 1 else [],
    }


def _cards(view: View, months: list[Row]) -> list[dict[str, Any]]:
    found = [
        number_card(view, f"new {items}, skips too", *heard_first(view, items))
        for items in ("artists", "tracks", "albums")
    ]
    return [
        *found,
        card(
            view,
            "plays of new artists",
            percent(_share(months, "plays_of_new_artists", "plays_all")),
            about="in the month of their first play; whole months only",
        ),
    ]


def _share(rows: list[Row], part: str, whole: str) -> float | None:
    total = sum(row[whole] for row in rows)
    return sum(row[part] for row in rows) / total if total else None


def _course(view: View, months: list[Row]) -> dict[str, Any]:
    """Return a bar for each month or year: all plays, with those of new artists highlighted."""
    by_year = len(months) > MOST_MONTHS
    steps: dict[date, list[Row]] = {}
    for row in months:
        first = row["listened_month"]
        steps.setdefault(first.replace(month=1) if by_year else first, []).append(row)
    names = {
        first: (str(first.year), str(first.year), str(first.year))
        if by_year
        else (month_label(view, first), month(first), f"{first:%Y-%m}")
        for first in steps
    }
    return drawn_counts([_bar(view, names[first], rows) for first, rows in steps.items()])


def _bar(view: View, names: tuple[str, str, str], rows: list[Row]) -> Bar:
    """Return the bar of a month or year.

    `names` are its axis label, its name in the tooltip, and its period in the URL.
    """
    label, name, text = names
    total, new, artists = (
        sum(row[key] for row in rows)
        for key in ("plays_all", "plays_of_new_artists", "new_artists")
    )
    share = percent(new / total if total else None)
    return Bar(
        label,
        total,
        f"{name}: {plays(total)}, {share} of new artists ({several(artists, 'artist')})",
        view.url("discovery", period=text),
        part=new,
    )


def _variety(view: View, months: list[Row]) -> dict[str, Any]:
    """Return two curves by month: the share of the top ten artists, and the plays per track."""
    curves = []
    for title, key, write in (
        ("Share of the top ten artists", "top10_artists_share", percent),
        ("Plays of each track", "plays_per_track", number),
    ):
        values = [row[key] if row[key] is None else float(row[key]) for row in months]
        known = [value for value in values if value is not None]
        top = max(known, default=1) or 1
        curves.append(
            {
                "title": title,
                "line": line(values, 0, top),
                "high": write(top),
                "low": write(0),
                "names": [month(row["listened_month"]) for row in months],
                "hrefs": [
                    view.url("discovery", period=f"{row['listened_month']:%Y-%m}") for row in months
                ],
                "values": [write(value and round(value, 3)) for value in values],
            }
        )
    return with_table(curves)


def _found(view: View, rows: list[Row], kind: str) -> list[dict[str, Any]]:
    values = [row["value"] for row in rows]
    return [
        {
            "href": view.url(kind, item=row[f"{kind}_id"]),
            "name": row[f"{kind}_name"],
            "small": row["artist_name"]
            if kind == "track"
            else f"since {day(row['first_heard_on'])}",
            "rank": rank,
            "bar": row["value"] / max(values),
            "number": texts(view, row)[0],
            "dim": texts(view, row)[1],
        }
        for rank, row in zip(places(values), rows, strict=True)
    ]


def _forgotten(view: View, row: Row) -> dict[str, Any]:
    return {
        "href": view.url("track", item=row["track_id"]),
        "name": row["track_name"],
        "small": row["artist_name"],
        "number": number(row["plays"]),
        "dim": f"last {month(row['last_heard_on'])}",
    }


def _obsession(view: View, row: Row) -> dict[str, Any]:
    return {
        "href": view.url("day", day=row["listened_date"].isoformat()),
        "name": row["track_name"],
        "small": row["artist_name"],
        "number": f"{number(row['plays_all'])}\N{MULTIPLICATION SIGN}",
        "dim": day(row["listened_date"]),
    }
