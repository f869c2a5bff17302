"""The top artists, tracks or albums of a period, beside the previous period; also as CSV."""

import csv as csv_format
import io
from collections.abc import Callable
from typing import Any

from flask import Response
from werkzeug.exceptions import BadRequest

from dashboard.ask import Row
from dashboard.ranking import KINDS, ranked
from dashboard.view import View

MOST = 100
MOST_IN_FILE = 10_000
"""Rows of a CSV file: a response of the function `queries` is at most 5 MB, a row is 200 B."""

_NEW = -MOST_IN_FILE
SORTS: dict[str, Callable[[Row], Any]] = {
    "rank": lambda row: row["rank"],
    "name": lambda row: (row["title"].casefold(), row["artist_name"].casefold()),
    "plays": lambda row: -row["plays"],
    "time": lambda row: -row["ms"],
    "change": lambda row: _NEW if row["rank_before"] is None else row["rank"] - row["rank_before"],
}
"""The page's sort orders; `change` puts new items and climbers first."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template; the URL selects kind, order and search text."""
    kind, sort = _choice(view, "kind", KINDS), _choice(view, "sort", SORTS)
    search = view.args.get("search", "").strip()
    rows = ranked(view, kind, MOST, search)
    return {
        "kind": kind,
        "kinds": list(KINDS),
        "sort": sort,
        "search": search,
        "rows": sorted(rows, key=SORTS[sort]) if sort != "rank" else rows,
    }


def csv(view: View) -> Response:
    """Return up to 10,000 rows of the top list as a CSV file for a spreadsheet."""
    kind = _choice(view, "kind", KINDS)
    rows = ranked(view, kind, MOST_IN_FILE, view.args.get("search", "").strip())
    name = f"top-{kind}s-{view.listener.listener}-{view.period.text}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(as_csv(rows, kind), mimetype="text/csv", headers=headers)


def as_csv(rows: list[Row], kind: str) -> str:
    """Write a top list as CSV with a header line; times are minutes."""
    file = io.StringIO()
    writer = csv_format.writer(file)
    names = ("artist",) if kind == "artist" else (kind, "artist")
    writer.writerow(
        (*("rank", *names, "plays", "minutes", "minutes_estimated", "share"), "rank_before")
    )
    for row in rows:
        writer.writerow(
            (
                row["rank"],
                *(plain(row[name]) for name in ("title", "artist_name")[: len(names)]),
                row["plays"],
                round(row["ms"] / 60_000, 2),
                round(row["ms_estimated"] / 60_000, 2),
                None if row["share"] is None else round(row["share"], 6),
                row["rank_before"],
            )
        )
    return file.getvalue()


def plain(text: str) -> str:
    """Prefix a text with an apostrophe if a spreadsheet would run it as a formula.

    Source: https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _choice(view: View, name: str, known: dict[str, Any]) -> str:
    """Return the argument `name` of the URL; if it is absent, the first of `known`.

    Raises:
        BadRequest: The value is not one of `known`.
    """
    chosen = view.args.get(name, next(iter(known)))
    if chosen not in known:
        raise BadRequest(f"There is no such {name}. Use one of: {', '.join(known)}.")
    return chosen
