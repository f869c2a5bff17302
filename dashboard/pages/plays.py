"""The page of the newest plays, which the URL can limit to an hour, a weekday or a device."""

from typing import Any

from dashboard.amounts import WEEKDAYS
from dashboard.ask import Row
from dashboard.drawing import HOURS
from dashboard.pages.skips import word
from dashboard.pages.when import hour_name
from dashboard.view import View

MOST = 200


def page(view: View) -> dict[str, Any]:
    """Return up to 200 plays that the URL selects, the newest first, and the number of all.

    Raises:
        BadRequest: The hour is not 0 to 23, or the weekday is not 1 to 7.
    """
    hour = view.number("hour", range(HOURS))
    weekday = view.number("weekday", range(1, 8))
    platform = view.args.get("platform")
    chosen = {"hour": hour, "weekday": weekday, "platform": platform}
    is_any_hour = hour is None and weekday is None
    newest = "plays.newest" if is_any_hour else "plays.newest_of_hours"
    rows = view.ask.rows(newest, None, **chosen, most=MOST)
    total = len(rows)
    if total == MOST:
        # A new play is listed at once, but counted only after the next refresh.
        total = max(MOST, view.ask.row("plays.number", **chosen)["plays"])
    names = [
        *([WEEKDAYS[weekday - 1]] if weekday is not None else []),
        *([hour_name(hour)] if hour is not None else []),
        *([word("platform", platform)] if platform is not None else []),
    ]
    return {"chosen": names, "plays": listed(rows, total)}


def listed(rows: list[Row], total: int) -> dict[str, Any]:
    """Return the arguments of the macro `parts.plays`: rows, the total, and sums over the rows."""
    return {
        "rows": rows,
        "total": total,
        "counted": sum(row["counts"] for row in rows),
        "ms": sum(row["ms"] for row in rows),
        "ms_estimated": sum(row["ms"] for row in rows if row["minutes_are_estimated"]),
    }
