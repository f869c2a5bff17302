"""The review of a year or a month: what the page shows, and the file that `plays report` writes."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from dashboard.amounts import MINUTE_MS, amount, drawn, in_words, months_of, several, texts
from dashboard.ask import Row
from dashboard.drawing import HOURS, Bar, sectors
from dashboard.format import UNKNOWN, change, day, duration, month, number, weekday
from dashboard.period import DAY, Period, add_months
from dashboard.view import View

Link = Callable[..., str | None]
"""Returns the address of a page, as `View.url`; None where nothing can be opened."""
NOTHING = {"plays": 0, "ms": 0, "ms_estimated": 0}


def no_link(page: str, **values: Any) -> None:
    """Return no address: for a file, which leads nowhere."""


def gather(view: View, period: Period, link: Link) -> dict[str, Any] | None:
    """Return what the template `_review.html` shows; None if no play of the period is known.

    Args:
        view: The listener, the measure and the counting rule.
        period: A whole year or a whole month.
        link: Makes the addresses.
    """
    is_year = len(months_of(period)) > 1

    def rows(name: str) -> list[Row]:
        return view.ask.rows(f"review.{name}", begin=period.first, until=period.last)

    found = rows("year" if is_year else "month")
    if not found:
        return None
    (row,) = found
    return {
        "is_estimated": bool(row["minutes_estimated"]),
        "cards": _cards(row, view.timeline.step(period, -1), link),
        "tops": [_top(view, kind, rows(f"{kind}s"), link) for kind in ("artist", "track", "album")],
        "found": _found(view, rows("found"), link),
        "moments": _moments(row, rows("moments"), link),
        **(_year(view, period, link) if is_year else _month(view, period, link)),
    }


def _cards(row: Row, before: Period | None, link: Link) -> list[dict[str, Any]]:
    ms, ms_before = (
        None if minutes is None else minutes * MINUTE_MS
        for minutes in (row["minutes"], row["previous_minutes"])
    )
    almost = "\N{ALMOST EQUAL TO} " if row["minutes_estimated"] else ""
    compared = (
        ("plays", number(row["plays"]), row["plays"], row["previous_plays"], number),
        ("listened", almost + duration(ms), ms, ms_before, duration),
        ("artists", number(row["artists"]), row["artists"], row["previous_artists"], number),
        ("tracks", number(row["tracks"]), row["tracks"], row["previous_tracks"], number),
    )
    cards = [
        {
            "label": label,
            "value": text,
            "growth": change(now, then),
            "was": f"{write(then)} in {before.name}" if before and then is not None else None,
        }
        for label, text, now, then, write in compared
    ]
    return [
        *cards,
        {"label": "days with music", "value": number(row["days_with_plays"])},
        {
            "label": "artists heard first",
            "value": number(row["new_artists"]),
            "href": link("discovery"),
        },
    ]


def _top(view: View, kind: str, rows: list[Row], link: Link) -> dict[str, Any]:
    most = max((row["value"] for row in rows), default=0)
    return {
        "title": f"Top {kind}s",
        "rows": [
            {
                "href": link(kind, item=row[f"{kind}_id"]),
                "name": row[f"{kind}_name"],
                "small": None if kind == "artist" else row["artist_name"],
                "rank": rank,
                "bar": row["value"] / most,
                "number": texts(view, row)[0],
                "dim": texts(view, row)[1],
            }
            for rank, row in enumerate(rows, start=1)
        ],
    }


def _found(view: View, rows: list[Row], link: Link) -> list[dict[str, Any]]:
    return [
        {
            "href": link("artist", item=row["artist_id"]),
            "name": row["artist_name"],
            "small": f"since {day(row['first_heard_on'])}",
            "number": texts(view, row)[0],
        }
        for row in rows
    ]


def _moments(row: Row, rows: Sequence[Row], link: Link) -> list[dict[str, Any]]:
    """Return what stands out, each with a title, a value and what it is of."""
    busiest = {
        "title": "Fullest day",
        "value": duration(row["busiest_date_minutes"] * MINUTE_MS),
        "text": weekday(row["busiest_date"]),
        "href": link("day", day=row["busiest_date"].isoformat()),
    }
    return [busiest, *(_moment(each, link) for each in rows)]


def _moment(row: Row, link: Link) -> dict[str, Any]:
    first, last, count = row["first_date"], row["last_date"], row["amount"]
    track = f"{row['track_name']} \N{MIDDLE DOT} {row['artist_name']}"
    title, value, text = {
        "obsession": (
            "Most in a day",
            f"{number(count)}\N{MULTIPLICATION SIGN}",
            f"{track}, {day(first)}",
        ),
        "session": ("Longest session", duration(count * MINUTE_MS), weekday(first)),
        "streak": (
            "Longest streak",
            several(int(count), "day"),
            f"{day(first)} \N{EN DASH} {day(last)}",
        ),
        "milestone": (f"Play number {number(count)}", day(first), track),
    }[row["kind"]]
    href = (
        link("sessions", period=f"{first}..{last}")
        if row["kind"] == "streak"
        else link("day", day=first.isoformat())
    )
    return {"title": title, "value": value, "text": text, "href": href}


def _year(view: View, period: Period, link: Link) -> dict[str, Any]:
    rows = view.ask.rows(
        "review.hours", begin=period.first, until=period.last, earlier=add_months(period.first, -12)
    )
    months = _sums(rows, "listened_month")
    bars = [
        _bar(
            view,
            f"{first:%b}",
            month(first),
            _past(view, first, months),
            months.get(add_months(first, -12)),
            href=link("review", period=f"{first:%Y-%m}"),
        )
        for first in months_of(period)
    ]
    return {**_clock(view, rows), "course": _course(view, "Month by month", bars)}


def _month(view: View, period: Period, link: Link) -> dict[str, Any]:
    rows = view.ask.rows("review.days", begin=period.first, until=period.last)
    days = _sums(rows, "listened_date")
    bars = [
        _bar(
            view,
            str(each.day),
            weekday(each),
            _past(view, each, days),
            None,
            href=link("day", day=each.isoformat()),
        )
        for each in (period.first + at * DAY for at in range(period.days))
    ]
    return {**_clock(view, rows), "course": _course(view, "Day by day", bars)}


def _sums(rows: list[Row], key: str) -> dict[Any, Row]:
    sums: dict[Any, Row] = {}
    for row in rows:
        known = sums.setdefault(row[key], dict(NOTHING))
        for name in NOTHING:
            known[name] += row[name]
    return sums


def _past(view: View, first: date, rows: dict[Any, Row]) -> Row | None:
    """Return the row of a date or month; None in the future, of which nothing is known."""
    return rows.get(first, NOTHING) if first <= view.listener.today else None


def _bar(
    view: View, label: str, name: str, row: Row | None, before: Row | None, *, href: str | None
) -> Bar:
    then = f" ({in_words(view, before)} a year before)" if before else ""
    return Bar(
        label,
        None if row is None else amount(view, row),
        f"{name}: {in_words(view, row)}{then}",
        href,
        before=amount(view, before) if before else None,
    )


def _course(view: View, title: str, bars: list[Bar]) -> dict[str, Any]:
    chart, ticks = drawn(view, bars)
    return {
        "title": title,
        "bars": chart.bars,
        "ticks": ticks,
        "table": [tuple(bar.title.split(": ", 1)) for bar in bars],
        "has_before": any(bar.before is not None for bar in bars),
    }


def _clock(view: View, rows: list[Row]) -> dict[str, Any]:
    hours = _sums([row for row in rows if row["hour"] is not None], "hour")
    known = [hours.get(hour, NOTHING) for hour in range(HOURS)]
    best = max(range(HOURS), key=lambda hour: (amount(view, known[hour]), -hour))
    return {
        "clock": {
            "paths": sectors([amount(view, row) for row in known]),
            "titles": [f"{hour:02}:00: {in_words(view, row)}" for hour, row in enumerate(known)],
            "middle": f"{best:02}:00" if amount(view, known[best]) else UNKNOWN,
            "table": [(f"{hour:02}:00", in_words(view, row)) for hour, row in enumerate(known)],
        }
    }
