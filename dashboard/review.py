"""Builds the review of a year or a month, for the page and for the file of `plays report`."""

from typing import Any

from dashboard import totals
from dashboard.amounts import MINUTE_MS, amount, drawn, in_words, months_of, several, texts
from dashboard.ask import Row
from dashboard.drawing import HOURS, Bar, sectors
from dashboard.format import UNKNOWN, artist_note, day, duration, month, number, weekday
from dashboard.period import add_months
from dashboard.ranking import ranked
from dashboard.totals import NOTHING, Link
from dashboard.view import View

TOPS = {"artist": 10, "track": 10, "album": 5}
FOUND = 5


def no_link(page: str, **values: Any) -> None:
    """Return None as the address of every page, because the file has no links."""


def gather(view: View, link: Link) -> dict[str, Any] | None:
    """Return the variables of the template `_review.html`; None if the period has no play.

    Args:
        view: A request for a whole year or a whole month.
        link: Returns the address of a page: `View.url`, or `no_link` for a file.
    """
    days = totals.days_of(view, view.known)
    if not any(row["ms"] or row["plays"] for row in days):
        return None
    before_days = totals.days_of(view, view.before)
    tops = {kind: ranked(view, kind, most) for kind, most in TOPS.items()}
    moments = view.ask.rows("review.moments")
    found = view.ask.rows("discovery.found_artists", most=FOUND)
    is_year = len(months_of(view.period)) > 1
    return {
        "is_estimated": bool(totals.total(days)["ms_estimated"]),
        "cards": totals.cards(view, days, before_days, tops, link),
        "tops": [_top(view, kind, rows, link) for kind, rows in tops.items()],
        "found": _found(view, found, link),
        "moments": [_fullest(view, days, link), *(_moment(view, each, link) for each in moments)],
        "course": _year(view, days, before_days, link) if is_year else _month(view, days, link),
        "clock": _clock(view, view.ask.rows("review.hours"), link),
    }


def _top(view: View, kind: str, rows: list[Row], link: Link) -> dict[str, Any]:
    return {
        "title": f"Top {kind}s",
        "rows": [
            {
                "href": link(kind, item=row["id"]),
                "name": row["title"],
                "small": artist_note(row["artist_name"])
                if kind == "artist"
                else row["artist_name"],
                "rank": row["rank"],
                "bar": row["bar"],
                "number": texts(view, row)[0],
                "dim": texts(view, row)[1],
            }
            for row in rows
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


def _fullest(view: View, days: list[Row], link: Link) -> dict[str, Any]:
    """Return the day with the most plays or time, as a line of the review; the first of equals."""
    row = max(days, key=lambda row: amount(view, row))
    return {
        "title": "Fullest day",
        "value": in_words(view, row),
        "text": weekday(row["day"]),
        "href": link("day", day=row["day"].isoformat()),
    }


def _moment(view: View, row: Row, link: Link) -> dict[str, Any]:
    first, last, count = row["first_date"], row["last_date"], row["amount"]
    track = f"{row['track_name']} \N{MIDDLE DOT} {row['artist_name']}"
    title, value, text = {
        "obsession": (
            "Most in a day",
            f"{number(count)}\N{MULTIPLICATION SIGN}",
            f"{track}, {day(first)}, skips too",
        ),
        "session": ("Longest session", duration(count * MINUTE_MS), weekday(first)),
        "streak": (
            "Longest streak",
            several(int(count), "day"),
            f"{day(first)} \N{EN DASH} {day(last)}",
        ),
        "milestone": (f"Play number {number(count)}", day(first), track),
    }[row["kind"]]
    if row["kind"] == "streak":
        href = link("sessions", period=f"{first}..{last}")
    else:
        # The first play of all may have started on the day before.
        href = link("day", day=first.isoformat()) if view.timeline.holds(first) else None
    return {"title": title, "value": value, "text": text, "href": href}


def _year(view: View, days: list[Row], before_days: list[Row], link: Link) -> dict[str, Any]:
    """Return a bar for each month of the year, beside the same days of the previous year."""
    months, before = (
        {row["day"]: row for row in totals.months_of_days(each)} for each in (days, before_days)
    )
    bars = [
        _bar(
            view,
            (f"{first:%b}", month(first)),
            months.get(first),
            before.get(add_months(first, -12)),
            href=link("review", period=f"{first:%Y-%m}"),
        )
        for first in months_of(view.period)
    ]
    return _course(view, "Month by month", bars)


def _month(view: View, days: list[Row], link: Link) -> dict[str, Any]:
    known = {row["day"]: row for row in days}
    bars = [
        _bar(
            view,
            (str(each.day), weekday(each)),
            known.get(each),
            None,
            href=link("day", day=each.isoformat()) if each in known else None,
        )
        for each in view.period.dates
    ]
    return _course(view, "Day by day", bars)


def _bar(
    view: View, names: tuple[str, str], row: Row | None, before: Row | None, *, href: str | None
) -> Bar:
    """Return the bar of a day or month; `names` are its axis label and its name in the tooltip."""
    label, name = names
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


def _clock(view: View, rows: list[Row], link: Link) -> dict[str, Any]:
    hours = {row["hour"]: row for row in rows}
    known = [hours.get(hour, NOTHING) for hour in range(HOURS)]
    best = max(range(HOURS), key=lambda hour: (amount(view, known[hour]), -hour))
    hrefs = [link("plays", hour=hour, period=view.period.text) for hour in range(HOURS)]
    return {
        "paths": sectors([amount(view, row) for row in known]),
        "titles": [f"{hour:02}:00: {in_words(view, row)}" for hour, row in enumerate(known)],
        "middle": f"{best:02}:00" if amount(view, known[best]) else UNKNOWN,
        "hrefs": hrefs,
        "table": [
            ((f"{hour:02}:00", hrefs[hour]), in_words(view, row)) for hour, row in enumerate(known)
        ],
    }
