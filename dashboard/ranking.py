"""The top artists, tracks or albums of a period, with their ranks in the previous period."""

from dashboard.ask import Row
from dashboard.view import View

KINDS = {
    kind: {"items": f"{kind}s", "id": f"{kind}_id", "title": f"{kind}_name"}
    for kind in ("artist", "track", "album")
}
"""The columns of each kind of item."""

WANTED = {
    "top": "now.rank <= :most",
    "search": "strpos(lower(concat_ws(' ', named.artist_name, named.{title})), lower(:search)) > 0",
}
"""The rows whose names are read: the top ranks, or all rows if they are searched."""


def ranked(view: View, kind: str, most: int, search: str = "") -> list[Row]:
    """Return the top items of the period, or those that match a search, with their previous rank.

    Args:
        view: The period, the measure and the counting rule.
        kind: `artist`, `track` or `album`.
        most: The maximum number of rows.
        search: A part of the title or the artist's name; empty for the top `most` ranks.
    """
    wanted = WANTED["search" if search else "top"].format(**KINDS[kind])
    rows = view.ask.rows("top.ranked", {**KINDS[kind], "wanted": wanted}, most=most, search=search)
    if not view.before or not rows:
        return [row | {"rank_before": None, "items_before": None} for row in rows]
    ids = [row["id"] for row in rows]
    before = {row["id"]: row for row in view.ask.rows("top.ranks_before", KINDS[kind], ids=ids)}
    return [row | before[row["id"]] for row in rows]
