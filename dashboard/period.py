"""The period that a page shows, in the listener's local dates. Pure: it reads no clock.

A period in the URL is `30d` (the last 30 days), `12m` (the last 12 months), `month` (this one),
`2025`, `2025-07`, `2025-summer`, `2024-03-05..2025-01-02` or `all`.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

PRESETS = ("7d", "30d", "90d", "month", "12m", "all")
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "winter": 12}
"""The first months of the meteorological seasons of the northern hemisphere."""
DAY = timedelta(days=1)

_YEAR = r"(?:19|20|21)\d\d"
_DATE = rf"{_YEAR}-\d\d-\d\d"
_DAYS = re.compile(r"([1-9]\d{0,3})d", re.ASCII)
_MONTHS = re.compile(r"([1-9]\d{0,2})m", re.ASCII)
_WHOLE_YEAR = re.compile(_YEAR, re.ASCII)
_WHOLE_MONTH = re.compile(rf"({_YEAR})-(0[1-9]|1[0-2])", re.ASCII)
_SEASON = re.compile(rf"({_YEAR})-({'|'.join(SEASONS)})", re.ASCII)
_RANGE = re.compile(rf"({_DATE})\.\.({_DATE})", re.ASCII)


_NAMES = {"all": "all time", "month": "this month"}


class PeriodError(ValueError):
    """The text of a URL is not a period; the message lists the valid forms."""


@dataclass(frozen=True)
class Span:
    """A range of dates from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def dates(self) -> list[date]:
        """Each date of the span."""
        return [self.first + at * DAY for at in range(self.days)]

    def within(self, other: "Span") -> "Span | None":
        """Return the dates that both spans share; None if there are none."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        return Span(first, last) if first <= last else None

    @property
    def name(self) -> str:
        """The dates as a person writes them: `5 Mar – 2 Jul 2025`, `5–7 Mar 2025`."""
        first, last = self.first, self.last
        if first == last:
            return day_name(first)
        if (first.year, first.month) == (last.year, last.month):
            return f"{first.day}–{day_name(last)}"
        start = f"{first.day} {first:%b}" if first.year == last.year else day_name(first)
        return f"{start} – {day_name(last)}"


@dataclass(frozen=True)
class Period(Span):
    """A span of dates, with the `text` that names it in the URL."""

    text: str

    @property
    def name(self) -> str:
        """The name on the page: `2025`, `July 2025`, `summer 2025`, `last 30 days`."""
        if self.text in _NAMES or _WHOLE_YEAR.fullmatch(self.text):
            return _NAMES.get(self.text, self.text)
        if _WHOLE_MONTH.fullmatch(self.text):
            return month_name(self.first)
        if match := _SEASON.fullmatch(self.text):
            year = self.first.year
            ends = f"/{(year + 1) % 100:02}" if self.last.year > year else ""
            return f"{match[2]} {year}{ends}"
        if match := _DAYS.fullmatch(self.text):
            return f"last {match[1]} days"
        if match := _MONTHS.fullmatch(self.text):
            return f"last {match[1]} months"
        return super().name


def named(span: Span) -> Period:
    """Return a span as a period: by name if it is a whole year or month, else by two dates."""
    text = f"{span.first}..{span.last}"
    if whole_months(span) == 12:  # noqa: PLR2004 - the months of a year
        text = str(span.first.year)
    elif whole_months(span) == 1:
        text = f"{span.first:%Y-%m}"
    return Period(span.first, span.last, text)


def day_name(day: date) -> str:
    """Write a date: `5 Mar 2025`."""
    return f"{day.day} {day:%b} {day.year}"


def month_name(day: date) -> str:
    """Write the month of a date: `March 2025`."""
    return f"{day:%B} {day.year}"


def month_end(day: date) -> date:
    """Return the last day of a date's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, or that month's last day if it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def season(year: int, name: str) -> Period:
    """Return the season that starts in a year: winter 2025 ends in February 2026."""
    first = date(year, SEASONS[name], 1)
    return Period(first, month_end(add_months(first, 2)), f"{year}-{name}")


def read(text: str, known: Span) -> Span | None:
    """Parse a period's text; return its dates, or None if it has none of the valid forms.

    Args:
        text: A period as in the URL.
        known: The dates from the first play to today.

    Raises:
        ValueError: The text names a date that does not exist.
        OverflowError: The text names a date outside Python's calendar.
    """
    today = known.last
    if text == "all":
        return known
    if text == "month":
        return Span(today.replace(day=1), month_end(today))
    if match := _DAYS.fullmatch(text):
        return Span(today - (int(match[1]) - 1) * DAY, today)
    if match := _MONTHS.fullmatch(text):
        return Span(add_months(today, -int(match[1])) + DAY, today)
    return _dates(text)


def _dates(text: str) -> Span | None:
    """Parse a period that does not depend on today: a year, a month, a season or two dates."""
    if _WHOLE_YEAR.fullmatch(text):
        return Span(date(int(text), 1, 1), date(int(text), 12, 31))
    if match := _WHOLE_MONTH.fullmatch(text):
        first = date(int(match[1]), int(match[2]), 1)
        return Span(first, month_end(first))
    if match := _SEASON.fullmatch(text):
        return season(int(match[1]), match[2])
    if match := _RANGE.fullmatch(text):
        return Span(date.fromisoformat(match[1]), date.fromisoformat(match[2]))
    return None


def is_season(span: Span) -> bool:
    """True if the span is a period whose text names a season, such as `2025-summer`."""
    return isinstance(span, Period) and _SEASON.fullmatch(span.text) is not None


def whole_months(span: Span) -> int:
    """Return 12 for a whole calendar year, 1 for a whole month, else 0."""
    if span.first.day != 1 or span.last != month_end(span.last):
        return 0
    months = (span.last.year - span.first.year) * 12 + span.last.month - span.first.month + 1
    return months if months == 1 or (months == 12 and span.first.month == 1) else 0  # noqa: PLR2004 - the months of a year


def stepped(span: Span, by: int) -> Period:
    """Return the period `by` steps later (earlier if negative).

    A step is a season, whole year, whole month or number of months if the span is one, else the
    number of its days.
    """
    text = span.text if isinstance(span, Period) else ""
    if is_season(span):
        first = add_months(span.first, 3 * by)
        return season(first.year, next(name for name in SEASONS if SEASONS[name] == first.month))
    # The last 30 days step by 30 days even if they happen to be a whole month.
    if not _DAYS.fullmatch(text) and (months := whole_months(span)):
        first = add_months(span.first, by * months)
        return named(Span(first, month_end(add_months(first, months - 1))))
    if match := _MONTHS.fullmatch(text):
        first = add_months(span.first, by * int(match[1]))
        return named(Span(first, add_months(first, int(match[1])) - DAY))
    return named(Span(span.first + by * span.days * DAY, span.last + by * span.days * DAY))
