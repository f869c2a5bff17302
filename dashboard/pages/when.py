"""The page When: listening by hour of the week, by hour of the day, by month and by year."""

from collections import defaultdict
from datetime import date
from typing import Any

from dashboard.amounts import (
    MONTHS,
    WEEKDAYS,
    amount,
    card,
    drawn,
    in_words,
    is_known,
    month_label,
    months_of,
    share_of,
    texts,
)
from dashboard.ask import Row
from dashboard.drawing import HOURS, Bar, Cell, sectors, shares
from dashboard.format import UNKNOWN, month, percent, weekday
from dashboard.period import Span, add_months
from dashboard.totals import NOTHING, days_of
from dashboard.view import View

NIGHT = range(6)
WEEKEND = (6, 7)
MOST_DAYS, MOST_MONTHS = 92, 60
"""The longest periods drawn by day and by month; longer ones are drawn by year."""


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    hours = view.ask.rows("when.hours")
    before = view.at(view.before).ask.rows("when.hours") if view.before else []
    months = {row["listened_month"]: row for row in view.ask.rows("when.months")}
    known = _known(view, months)
    return {
        "cards": _cards(view, hours, before),
        "week": _week(view, hours),
        "clock": _clock(view, hours),
        "course": _course(view, known),
        "years": _years(view, known),
    }


def hour_name(hour: int) -> str:
    """Write an hour of the day: `21:00`."""
    return f"{hour:02}:00"


def _cards(view: View, hours: list[Row], before: list[Row]) -> list[dict[str, Any]]:
    return [
        _fullest_card(view, "fullest hour", hours, before, "hour"),
        _fullest_card(view, "fullest day of the week", hours, before, "weekday"),
        _share_card(view, "at the weekend", hours, before, lambda row: row["weekday"] in WEEKEND),
        _share_card(view, "between 0:00 and 6:00", hours, before, lambda row: row["hour"] in NIGHT),
    ]


def _share_card(view: View, name: str, now: list[Row], before: list[Row], is_wanted: Any) -> Any:
    share, then = (
        share_of(rows, view, [row for row in rows if is_wanted(row)]) for rows in (now, before)
    )
    return card(view, name, percent(share), percent(then))


def _fullest_card(view: View, label: str, now: list[Row], before: list[Row], key: str) -> Any:
    """Return a card with the hour or weekday of most listening, linked to its plays."""
    best = _fullest(view, now, key)
    href = None if best is None else view.url("plays", **{key: best})
    texts = (_name(key, each) for each in (best, _fullest(view, before, key)))
    return card(view, label, *texts, href=href)


def _fullest(view: View, hours: list[Row], key: str) -> int | None:
    """Return the hour or weekday with the most plays or time; None if nothing was played."""
    sums = _sums(view, hours, key)
    return max(sums, key=lambda each: (sums[each], -each)) if any(sums.values()) else None


def _name(key: str, value: int | None) -> str:
    if value is None:
        return UNKNOWN
    return hour_name(value) if key == "hour" else WEEKDAYS[value - 1]


def _sums(view: View, rows: list[Row], key: str) -> dict[int, int]:
    sums: dict[int, int] = defaultdict(int)
    for row in rows:
        sums[row[key]] += amount(view, row)
    return sums


def _week(view: View, hours: list[Row]) -> dict[str, Any]:
    """Return a heat map of weekdays and hours, with each weekday's share of the total."""
    by_cell = {(row["weekday"], row["hour"]): row for row in hours}
    keys = [(weekday, hour) for weekday in range(1, 8) for hour in range(HOURS)]
    nothing = None if view.is_unknown else NOTHING
    rows = [by_cell.get(key, nothing) for key in keys]
    shade = shares([_value(view, row) for row in rows])
    cells = [
        Cell(
            shade[at],
            in_words(view, row),
            f"{WEEKDAYS[day - 1]} {hour_name(hour)}: {in_words(view, row)}",
            view.url("plays", weekday=day, hour=hour) if (day, hour) in by_cell else None,
        )
        for at, ((day, hour), row) in enumerate(zip(keys, rows, strict=True))
    ]
    return {
        "heads": [f"{hour:02}" for hour in range(HOURS)],
        "names": list(WEEKDAYS),
        "table": [
            [hour_name(hour), *(cells[day * HOURS + hour].text for day in range(7))]
            for hour in range(HOURS)
        ],
        "rows": [
            (name, view.url("plays", weekday=at + 1), cells[at * HOURS : (at + 1) * HOURS])
            for at, name in enumerate(WEEKDAYS)
        ],
        "totals": [
            percent(share_of(hours, view, [row for row in hours if row["weekday"] == day]))
            for day in range(1, 8)
        ],
    }


def _clock(view: View, hours: list[Row]) -> dict[str, Any]:
    nothing = None if view.is_unknown else NOTHING
    rows = [
        _added([row for row in hours if row["hour"] == hour]) or nothing for hour in range(HOURS)
    ]
    hrefs = [view.url("plays", hour=hour) for hour in range(HOURS)]
    return {
        "hrefs": hrefs,
        "paths": sectors([_value(view, row) for row in rows]),
        "titles": [f"{hour_name(hour)}: {in_words(view, row)}" for hour, row in enumerate(rows)],
        "middle": _name("hour", _fullest(view, hours, "hour")),
        "table": [
            ((hour_name(hour), hrefs[hour]), in_words(view, row)) for hour, row in enumerate(rows)
        ],
    }


def _course(view: View, months: dict[date, Row]) -> dict[str, Any]:
    """Return a bar for each day, month or year, depending on the length of the period."""
    if view.shown.days <= MOST_DAYS:
        return {"step": "day", **_drawn(view, _days(view))}
    if len(months_of(view.shown)) <= MOST_MONTHS:
        return {"step": "month", **_drawn(view, _months(view, months))}
    return {"step": "year", **_drawn(view, _year_bars(view, months))}


def _known(view: View, months: dict[date, Row]) -> dict[date, Row]:
    """Return a row for each month from the first play to today, with or without plays.

    `missing` marks months with a day whose plays may be missing (an open gap).
    """
    gaps = {day.replace(day=1) for gap in view.timeline.gaps for day in gap.dates}
    return {
        first: {**months.get(first, NOTHING), "missing": first in gaps}
        for first in months_of(Span(view.timeline.first, view.timeline.today))
    }


def _value(view: View, row: Row | None) -> int | None:
    return None if row is None else amount(view, row)


def _drawn(view: View, bars: list[Bar]) -> dict[str, Any]:
    chart, ticks = drawn(view, bars)
    return {
        "bars": chart.bars,
        "ticks": ticks,
        "has_gap": any(bar.is_faint for bar in bars),
        "table": [tuple(bar.title.split(": ", 1)) for bar in bars],
    }


def _days(view: View) -> list[Bar]:
    return [
        Bar(
            str(row["day"].day),
            amount(view, row),
            f"{weekday(row['day'])}: {in_words(view, row)}",
            view.day_url(row["day"]),
            is_faint=row["missing"],
        )
        for row in days_of(view, view.known)
    ]


def _months(view: View, months: dict[date, Row]) -> list[Bar]:
    bars = []
    for first in months_of(view.shown):
        row, before = months.get(first), months.get(add_months(first, -12))
        title = f"{month(first)}: {in_words(view, row)}"
        bars.append(
            Bar(
                month_label(view, first),
                _value(view, row),
                f"{title} ({in_words(view, before)} a year before)" if before else title,
                view.url("when", period=f"{first:%Y-%m}"),
                before=_value(view, before),
                is_faint=bool(row and row["missing"]),
            )
        )
    return bars


def _year_bars(view: View, months: dict[date, Row]) -> list[Bar]:
    years = range(view.shown.first.year, view.shown.last.year + 1)
    return [
        Bar(
            str(year),
            _value(view, row),
            f"{year}: {in_words(view, row)}",
            view.url("when", period=str(year)),
            is_faint=bool(row and row["missing"]),
        )
        for year in years
        for row in [_total(months, year)]
    ]


def _total(months: dict[date, Row], year: int) -> Row | None:
    rows = [row for first, row in months.items() if first.year == year]
    # A month without plays in a gap is unknown.
    known = _added([row for row in rows if is_known(row)])
    return known and {**known, "missing": any(row["missing"] for row in rows)}


def _added(rows: list[Row]) -> Row | None:
    """Return the sums of plays and time over rows; None if there are no rows."""
    return {key: sum(row[key] for row in rows) for key in NOTHING} if rows else None


def _years(view: View, months: dict[date, Row]) -> dict[str, Any]:
    """Return a heat map of years and months, the newest year first."""
    years = [period.first.year for period, _ in view.timeline.years()]
    keys = [date(year, number, 1) for year in years for number in range(1, 13)]
    known = [months.get(key) for key in keys]
    shade = shares([_value(view, row) for row in known])
    cells = [
        Cell(
            shade[at],
            in_words(view, row),
            f"{month(key)}: {in_words(view, row)}",
            view.url("when", period=f"{key:%Y-%m}") if row else None,
            is_gap=bool(row and row["missing"]),
        )
        for at, (key, row) in enumerate(zip(keys, known, strict=True))
    ]
    return {
        "heads": MONTHS,
        "rows": [
            (str(year), view.url("when", period=str(year)), cells[at * 12 : (at + 1) * 12])
            for at, year in enumerate(years)
        ],
        "totals": [
            texts(view, total)[0] if (total := _total(months, year)) else UNKNOWN for year in years
        ],
    }
