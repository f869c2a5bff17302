"""The page Sessions: listening without a pause over 30 minutes, and streaks of days."""

from datetime import date
from typing import Any

from dashboard.amounts import MINUTE_MS, card, drawn_counts, in_words, several
from dashboard.ask import Row
from dashboard.drawing import HOURS, Bar
from dashboard.format import ALMOST, UNKNOWN, day, duration, number, time_of_day, weekday
from dashboard.period import DAY, Span
from dashboard.view import View

EDGES = [15, 30, 60, 120, 240]
"""The session lengths, in minutes, that separate SIZES."""
SIZES = (
    "< 15 min",
    "15\N{EN DASH}30 min",
    "30\N{EN DASH}60 min",
    "1\N{EN DASH}2 h",
    "2\N{EN DASH}4 h",
    "> 4 h",
)
MOST_STREAKS = 10


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    now = view.ask.row("sessions.totals", begin=view.period.first, until=view.period.last)
    before = _before(view)
    hour, size = view.number("hour", range(HOURS)), view.number("size", range(len(SIZES)))
    shapes = view.ask.rows("sessions.shapes", edges=EDGES)
    streaks = [
        {**row, "is_current": _goes_on(view, row["last_date"])}
        for row in view.ask.rows("sessions.streaks")
    ]
    return {
        "cards": _session_cards(view, now, before) + _streak_cards(view, streaks),
        "starts": _starts(view, shapes),
        "sizes": _sizes(view, shapes),
        "chosen": [
            *([f"from {hour:02}:00"] if hour is not None else []),
            *([SIZES[size]] if size is not None else []),
        ],
        "longest": [
            _session(view, row)
            for row in view.ask.rows("sessions.longest", hour=hour, size=size, edges=EDGES)
        ],
        "streaks": [_streak(view, row) for row in _chosen(streaks)],
        "milestones": view.ask.rows("sessions.milestones"),
        "has_sessions": bool(now["sessions"]),
    }


def _goes_on(view: View, last: date) -> bool:
    """True if a streak that ended on `last` may still be current.

    That is so if every later date is unknown, up to the day before the last poll or play. That last
    day is ignored, because plays may follow. `is_current` of the view considers open gaps only.
    """
    until = view.listener.last_known_on or view.listener.today
    since = Span(last + DAY, until - DAY)
    return view.timeline.unknown_days(since) >= since.days


def _before(view: View) -> Row:
    before = view.before
    return view.ask.row(
        "sessions.totals", begin=before and before.first, until=before and before.last
    )


def _session_cards(view: View, now: Row, before: Row) -> list[dict[str, Any]]:
    per_session, per_session_before = (
        row["plays"] / row["sessions"] if row["sessions"] else None for row in (now, before)
    )
    return [
        card(
            view,
            "sessions",
            number(view.counted(now["sessions"])),
            number(before["sessions"]) if before["sessions"] else "",
            now=now["sessions"],
            before=before["sessions"],
        ),
        *(
            card(
                view,
                label,
                minutes(now[key]),
                minutes(before[key]),
                now=now[key],
                before=before[key],
            )
            for label, key in (("median session", "median"), ("longest session", "longest"))
        ),
        card(
            view,
            "plays a session",
            number(per_session and round(per_session, 1)),
            number(per_session_before and round(per_session_before, 1)),
            now=per_session,
            before=per_session_before,
        ),
    ]


def minutes(value: Any) -> str:
    """Write a duration given in minutes; an en dash if it is None."""
    return duration(None if value is None else value * MINUTE_MS)


def _streak_cards(view: View, streaks: list[Row]) -> list[dict[str, Any]]:
    current = next((row for row in streaks if row["is_current"]), None)
    longest = streaks[0] if streaks else None
    return [
        _streak_card(view, "current streak", current),
        _streak_card(view, "longest streak ever", longest),
    ]


def _streak_card(view: View, label: str, streak: Row | None) -> dict[str, Any]:
    if streak is None:
        return card(view, label, UNKNOWN, about="no streak goes on")
    days = several(streak["days"], "day")
    return card(view, label, days, about=_until(view, streak), href=_streak(view, streak)["href"])


def _until(view: View, streak: Row) -> str:
    if not streak["is_current"]:
        return f"until {day(streak['last_date'])}"
    known = view.listener.last_known_on
    ends = f", known until {day(known)}" if known and known < view.listener.today else ""
    return f"since {day(streak['first_date'])}{ends}"


def _starts(view: View, shapes: list[Row]) -> dict[str, Any]:
    by_hour = {row["hour"]: row["sessions"] for row in shapes if row["hour"] is not None}
    return drawn_counts(
        [
            Bar(
                f"{hour:02}",
                count,
                f"{hour:02}:00: {several(count, 'session')}",
                view.url("sessions", hour=hour, _anchor="longest") if count else None,
            )
            for hour in range(HOURS)
            for count in [by_hour.get(hour, 0)]
        ]
    )


def _sizes(view: View, shapes: list[Row]) -> dict[str, Any]:
    by_size = {row["size"]: row["sessions"] for row in shapes if row["size"] is not None}
    return drawn_counts(
        [
            Bar(
                name,
                count,
                f"{name}: {several(count, 'session')}",
                view.url("sessions", size=size, _anchor="longest") if count else None,
            )
            for size, name in enumerate(SIZES)
            for count in [by_size.get(size, 0)]
        ]
    )


def _session(view: View, row: Row) -> dict[str, Any]:
    started = row["started_at_local"]
    return {
        # The first play of all may have started on the day before.
        "href": view.day_url(row["listened_date"]),
        "name": weekday(row["listened_date"]),
        "small": f"from {time_of_day(started)}",
        "number": (ALMOST if row["ms_estimated"] else "") + minutes(row["length_minutes"]),
        "dim": in_words(view, row),
    }


def _chosen(streaks: list[Row]) -> list[Row]:
    """Return the ten longest streaks, and the current one whatever its length."""
    return [row for at, row in enumerate(streaks) if at < MOST_STREAKS or row["is_current"]]


def _streak(view: View, row: Row) -> dict[str, Any]:
    first, last = row["first_date"], row["last_date"]
    return {
        "href": view.url("overview", period=f"{first}..{last}"),
        "rank": row["rank"],
        "name": day(first) if first == last else f"{day(first)} \N{EN DASH} {day(last)}",
        "small": " \N{MIDDLE DOT} ".join(_remarks(row)),
        "number": several(row["days"], "day"),
    }


def _remarks(row: Row) -> list[str]:
    remarks = ["goes on"] if row["is_current"] else []
    if row["unknown_days"]:
        remarks.append(f"{several(row['unknown_days'], 'day')} unknown")
    return remarks
