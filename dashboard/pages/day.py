"""The page of one date: all of its plays, and links to the days before and after."""

from datetime import date
from typing import Any

from werkzeug.exceptions import NotFound

from dashboard.pages.plays import listed
from dashboard.period import DAY, Span
from dashboard.view import View


def page(view: View, day: str) -> dict[str, Any]:
    """Return the plays of a date, the oldest first.

    Raises:
        NotFound: `day` is not a date, or lies before the first play or after today.
    """
    shown = _date(day)
    if not view.timeline.holds(shown):
        known = f"{view.timeline.first} to {view.timeline.today}"
        raise NotFound(f"{shown} is outside your history. Choose a day from {known}.")
    newest = view.ask.rows("plays.newest", first=shown, last=shown, platform=None, most=None)
    return {
        "day": shown,
        "previous": shown - DAY if shown > view.timeline.first else None,
        "next": shown + DAY if shown < view.timeline.today else None,
        "plays": listed(newest[::-1], len(newest)),
        "is_at_least": bool(view.timeline.missing(Span(shown, shown))),
    }


def _date(text: str) -> date:
    """Parse a date of a URL, which must be written as `2025-03-05`.

    Raises:
        NotFound: The text is not such a date.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise NotFound("The address contains no valid day. Write a day as 2025-03-05.")
    return day
