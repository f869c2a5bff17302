"""The page Skips: how often plays are skipped, and how plays start and end."""

import re
from typing import Any

from dashboard.amounts import card, month_label, months_of, plays
from dashboard.ask import Row
from dashboard.drawing import HOURS, Bar, columns
from dashboard.format import month, number, percent
from dashboard.view import View

LEAST_KNOWN = 20
"""Fewest plays of an artist, marked as skipped or not, for a rate that is worth comparing."""
MOST_ROWS = 8
COLUMNS = (
    "platform",
    "country",
    "reason_start",
    "reason_end",
    "shuffle",
    "offline",
    "context_type",
)
TITLES = {
    "reason_start": "Why plays begin",
    "reason_end": "Why plays end",
    "context_type": "Played from",
    "platform": "Devices",
    "country": "Countries",
    "shuffle": "Shuffle",
    "offline": "Connection",
}
PANELS = (
    ("reason_start",),
    ("reason_end",),
    ("context_type",),
    ("platform",),
    ("country",),
    ("shuffle", "offline"),
)
"""Lists that are shown together; the last two are short."""
WORDS = {
    ("shuffle", True): "shuffled",
    ("shuffle", False): "in order",
    ("offline", True): "offline",
    ("offline", False): "online",
    ("reason_start", "trackdone"): "the track before ended",
    ("reason_start", "fwdbtn"): "forward button",
    ("reason_start", "backbtn"): "back button",
    ("reason_start", "clickrow"): "picked from a list",
    ("reason_start", "playbtn"): "play button",
    ("reason_start", "remote"): "remote control",
    ("reason_start", "appload"): "the app was opened",
    ("reason_start", "trackerror"): "the track before failed",
    ("reason_end", "trackdone"): "played to its end",
    ("reason_end", "fwdbtn"): "forward button",
    ("reason_end", "backbtn"): "back button",
    ("reason_end", "endplay"): "something else was played",
    ("reason_end", "logout"): "the app was closed",
    ("reason_end", "unexpected-exit"): "the app stopped unexpectedly",
    ("reason_end", "unexpected-exit-while-paused"): "the app stopped while paused",
    ("reason_end", "trackerror"): "the track failed",
    ("reason_end", "remote"): "remote control",
    ("reason_start", "clickside"): "picked in the sidebar",
    ("reason_start", "popup"): "picked in a pop-up",
    ("reason_start", "uriopen"): "a link was opened",
    ("reason_end", "appload"): "the app was opened",
    ("reason_end", "clickrow"): "another track was picked",
    ("reason_end", "clickside"): "another track was picked in the sidebar",
    ("reason_end", "playbtn"): "play button",
    ("reason_end", "popup"): "another track was picked in a pop-up",
    ("reason_end", "uriopen"): "a link was opened",
    ("platform", "android"): "Android",
    ("platform", "ios"): "iOS",
    ("platform", "linux"): "Linux",
    ("platform", "osx"): "macOS",
    ("platform", "web_player"): "web player",
    ("platform", "windows"): "Windows",
    ("context_type", "collection"): "liked songs",
    ("context_type", "user"): "playlist",
}
"""Spotify's values in plain English; other values are shown unchanged."""
COUNTRY = re.compile("[A-Z]{2}")
"""An ISO 3166 code. Browsers know its name, and a table of names here would become outdated."""
UNKNOWN = frozenset({None, "", "ZZ", "not_applicable", "unknown"})
"""Values that Spotify uses for unknown; ZZ is an unknown country."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    (before,) = view.ask.rows("skips.totals")
    times = view.ask.rows("skips.times")
    total = next(row for row in times if row["listened_month"] is None and row["hour"] is None)
    artists = view.ask.rows("skips.artists", least=LEAST_KNOWN, most_rows=MOST_ROWS)
    return {
        "cards": _cards(view, total, before),
        "total": total,
        "known_share": share(total["known"], total["plays"]),
        "months": _months(view, times),
        "hours": _hours(view, times),
        "most": [_artist(view, row) for row in _ordered(artists, "most")],
        "fewest": [_artist(view, row) for row in _ordered(artists, "fewest")],
        "least_known": LEAST_KNOWN,
        "how": _how(view, view.ask.rows("skips.how")),
    }


def share(part: int | None, whole: int | None) -> float | None:
    """Return `part` as a share of `whole`, 0 to 1; None if either is unknown or `whole` is 0."""
    return part / whole if part is not None and whole else None


def rate(row: Row) -> float | None:
    """Return the share of skips among the plays that an export marks as skipped or not."""
    return share(row["skips"], row["known"])


def _cards(view: View, total: Row, before: Row) -> list[dict[str, Any]]:
    now, then, known = rate(total), rate(before), share(total["known"], total["plays"])
    return [
        card(
            view,
            "skipped",
            percent(now),
            percent(then),
            about="of plays that an export holds",
        ),
        card(
            view,
            "skips",
            number(total["skips"] if total["known"] else None),
            number(before["skips"] if before["known"] else None),
            now=total["skips"] if total["known"] else None,
            before=before["skips"] if before["known"] else None,
        ),
        card(
            view,
            "plays marked as skipped or not",
            number(total["known"]),
            about=f"{percent(known)} of {plays(total['plays'] or 0)}",
        ),
    ]


def _months(view: View, times: list[Row]) -> dict[str, Any]:
    rows = {row["listened_month"]: row for row in times}
    return _rates(
        [
            (
                month_label(view, first),
                month(first),
                rows.get(first),
                view.url("skips", period=f"{first:%Y-%m}"),
            )
            for first in months_of(view.shown)
        ]
    )


def _hours(view: View, times: list[Row]) -> dict[str, Any]:
    rows = {row["hour"]: row for row in times if row["hour"] is not None}
    return _rates(
        [
            (f"{hour:02}", f"{hour:02}:00", rows.get(hour), view.url("plays", hour=hour))
            for hour in range(HOURS)
        ]
    )


def _rates(steps: list[tuple[str, str, Row | None, str]]) -> dict[str, Any]:
    """Return a bar chart of skip rates, and the same as a table.

    A step is a month or an hour: its axis label, its name, its row and its address.
    """
    rates = [(rate(row), row["known"]) if row else (None, 0) for _, _, row, _ in steps]
    chart = columns(
        Bar(label, value, f"{name}: {percent(value)} of {plays(known)} known", href)
        for (label, name, _, href), (value, known) in zip(steps, rates, strict=True)
    )
    return {
        "bars": chart.bars,
        "ticks": [(at, percent(value)) for at, value in chart.ticks],
        "is_known": any(value is not None for value, _ in rates),
        "table": [
            ((name, href), percent(value), number(known))
            for (_, name, _, href), (value, known) in zip(steps, rates, strict=True)
        ],
    }


def _ordered(artists: list[Row], place: str) -> list[Row]:
    chosen = [row for row in artists if row[place] <= MOST_ROWS]
    if place == "fewest":
        chosen = [row for row in chosen if row["most"] > MOST_ROWS]
    return sorted(chosen, key=lambda row: int(row[place]))


def _artist(view: View, row: Row) -> dict[str, Any]:
    return {
        "href": view.url("artist", item=row["artist_id"]),
        "name": row["artist_name"],
        "bar": rate(row),
        "number": percent(rate(row)),
        "dim": f"of {number(row['known'])}",
    }


def _how(view: View, rows: list[Row]) -> list[list[dict[str, Any]]]:
    """Return the panels of lists, such as devices; a list without a known value is left out."""
    panels = []
    for keys in PANELS:
        lists = []
        for key in keys:
            mine = [row for row in rows if _is_of(row, key)]
            known = [row for row in mine if row[key] not in UNKNOWN]
            if known:
                lists.append(_list(view, key, known, sum(row["plays"] for row in mine)))
        if lists:
            panels.append(lists)
    return panels


def _is_of(row: Row, key: str) -> bool:
    """True if a row is grouped by the column `key`: that column's bit of SQL's GROUPING is 0."""
    place = len(COLUMNS) - 1 - COLUMNS.index(key)
    return not row["set"] >> place & 1


def _list(view: View, key: str, rows: list[Row], total: int) -> dict[str, Any]:
    known = sum(row["plays"] for row in rows)
    shown, others = rows[:MOST_ROWS], rows[MOST_ROWS:]
    entries = [(word(key, row[key]), _plays_of(view, key, row), row) for row in shown]
    if others:
        rest = {name: sum(row[name] for row in others) for name in ("plays", "skips", "known")}
        entries.append((f"{len(others)} others", None, rest))
    return {
        "title": TITLES[key],
        "known": share(known, total),
        "rows": [
            {
                "name": name,
                "href": href,
                "country": name if key == "country" and COUNTRY.fullmatch(name) else None,
                "share": share(row["plays"], known),
                "texts": [percent(share(row["plays"], known)), percent(rate(row))],
            }
            for name, href, row in entries
        ],
    }


def _plays_of(view: View, key: str, row: Row) -> str | None:
    """Return the address of the plays on a device; None if the list is not that of devices."""
    return view.url("plays", platform=row[key]) if key == "platform" else None


def word(key: str, value: Any) -> str:
    """Translate a value of Spotify to plain English: `fwdbtn` to `forward button`."""
    return WORDS.get((key, value), str(value))
