"""Why the counts differ: the four counting rules side by side, with this listener's numbers."""

from typing import Any

from dashboard.amounts import places
from dashboard.ask import Row
from dashboard.format import number, percent
from dashboard.ranking import KINDS
from dashboard.view import RULES, View

MEANINGS = {
    "all": "Skips too, however short.",
    "30s": "At least 30 seconds were played.",
    "half": "Half of the track was played, or 4 minutes; tracks under 30 seconds never count.",
    "done": "At most 2 seconds were missing, or Spotify says that the track ended.",
}
USERS = {
    "all": "The files of the extended history, and tools that count their rows.",
    "30s": "Spotify: a stream, and its yearly review.",
    "half": "Last.fm, ListenBrainz and what sends plays to them.",
    "done": "Koito, when it reads Spotify's history.",
}
MOST = 5
"""Artists shown for each rule."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    total = view.ask.row("counts.totals")
    artists = view.ask.rows("counts.artists", KINDS["artist"], most=MOST)
    return {
        "total": total,
        "cards": [_rule(view, name, total) for name in ("all", "30s", "half", "done")],
        "tops": [_top(view, name, artists) for name in ("all", "30s", "half", "done")],
        "skips_share": total["skips"] / total["skips_known"] if total["skips_known"] else None,
        "estimated": total["ms_estimated"] / total["ms"] if total["ms"] else None,
        "spread": _spread(total),
    }


def _rule(view: View, name: str, total: Row) -> dict[str, Any]:
    count, every = total[f"plays_{name}"], total["plays_all"]
    return {
        "href": view.url("counts", rule=name if name != "30s" else None),
        "is_chosen": view.rule.name == name,
        "name": RULES[name].meaning,
        "count": number(count),
        "share": count / every if count is not None and every else None,
        "meaning": MEANINGS[name],
        "users": USERS[name],
    }


def _top(view: View, name: str, artists: list[Row]) -> list[dict[str, Any]]:
    """Return the top five artists by a rule; mark those with another rank by the chosen rule."""
    chosen = _places(artists, view.rule.name)
    return [
        {
            "href": view.url("artist", item=row["id"]),
            "rank": place,
            "name": row["artist_name"],
            "number": number(row[f"plays_{name}"]),
            "is_moved": place != chosen.get(row["id"], (None,))[0],
        }
        for place, row in _places(artists, name).values()
    ]


def _places(artists: list[Row], name: str) -> dict[int, tuple[int, Row]]:
    """Return the rank and row of a rule's top five artists, by artist id.

    `artists` are ordered by listening time, which decides ties.
    """
    column = f"plays_{name}"
    rows = sorted((row for row in artists if row[column]), key=lambda row: -row[column])[:MOST]
    found = places([row[column] for row in rows])
    return {row["id"]: (place, row) for place, row in zip(found, rows, strict=True)}


def _spread(total: Row) -> str | None:
    """Write how far the smallest of the four counts lies below the largest, in percent."""
    counts = [total[f"plays_{name}"] for name in RULES]
    if None in counts or not max(counts):
        return None
    return percent(1 - min(counts) / max(counts))
