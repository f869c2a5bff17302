"""The period that a page shows, as local dates of the listener. Pure: it reads no clock.

A period in the URL is `30d` (the last 30 days), `12m` (the last 12 months), `2025`, `2025-07`,
`2024-03-05..2025-01-02` or `all`. It travels as that text, so a link shows the same later.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

PRESETS = ("30d", "90d", "12m", "all")
DAY = timedelta(days=1)

_YEAR = r"(?:19|20|21)\d\d"
_DATE = rf"{_YEAR}-\d\d-\d\d"
_DAYS = re.compile(r"([1-9]\d{0,3})d", re.ASCII)
_MONTHS = re.compile(r"([1-9]\d{0,2})m", re.ASCII)
_WHOLE_YEAR = re.compile(_YEAR, re.ASCII)
_WHOLE_MONTH = re.compile(rf"({_YEAR})-(0[1-9]|1[0-2])", re.ASCII)
_RANGE = re.compile(rf"({_DATE})\.\.({_DATE})", re.ASCII)


class PeriodError(ValueError):
    """A text is no period; the message says which texts are."""


@dataclass(frozen=True)
class Span:
    """Dates from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

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
    """A span with the text that stands for it in the URL."""

    text: str

    @property
    def name(self) -> str:
        """The name on the page: `2025`, `July 2025`, `last 30 days`, `5 Mar – 2 Jul 2025`."""
        if self.text == "all":
            return "all time"
        if _WHOLE_YEAR.fullmatch(self.text):
            return self.text
        if _WHOLE_MONTH.fullmatch(self.text):
            return month_name(self.first)
        if match := _DAYS.fullmatch(self.text):
            return f"last {match[1]} days"
        if match := _MONTHS.fullmatch(self.text):
            return f"last {match[1]} months"
        return super().name


@dataclass(frozen=True)
class Parts:
    """A span cut at the borders of months; a part that is missing is None.

    Views by month answer for `months`, `reporting.plays` for the days of `head` and `tail`.
    """

    head: Span | None
    months: Span | None
    tail: Span | None


@dataclass(frozen=True)
class Timeline:
    """What is known of a listener: local dates from the first play to today.

    Attributes:
        first: The date of the first play.
        today: The listener's date now.
    """

    first: date
    today: date

    def parse(self, text: str) -> Period:
        """Return the period that a text stands for.

        Raises:
            PeriodError: The text is no period.
        """
        try:
            span = self._span(text)
        except (ValueError, OverflowError):
            span = None
        if span is None or span.first > span.last:
            raise PeriodError(
                f"\N{LEFT DOUBLE QUOTATION MARK}{text[:40]}\N{RIGHT DOUBLE QUOTATION MARK} is no "
                "period. Use a year (2025), a month (2025-07), two dates (2025-03-05..2025-07-31), "
                "30d, 90d, 12m or all."
            )
        return Period(span.first, span.last, text)

    def before(self, period: Period) -> Period | None:
        """Return the period to compare with, or None where nothing is known of one.

        A year or month that has not ended is compared with the same days of the one before it.
        """
        span = self._before(period)
        if span is None or span.last < self.first:
            return None
        return named(span)

    def step(self, period: Period, by: int) -> Period | None:
        """Return the period of the same length that lies next to one: `by` is -1 or 1.

        None beyond the first play and beyond today, and for all time.
        """
        if period.text == "all":
            return None
        span = _stepped(period, by)
        if span.last < self.first or span.first > self.today:
            return None
        return named(span)

    def parts(self, span: Span) -> Parts:
        """Cut a span into whole months and the days before and after them.

        A month that has not ended is whole if the span reaches today: nothing follows.
        """
        last = max(span.last, month_end(span.last)) if span.last >= self.today else span.last
        first_month = span.first if span.first.day == 1 else month_end(span.first) + DAY
        last_month_end = last if last == month_end(last) else last.replace(day=1) - DAY
        if first_month > last_month_end:
            return Parts(Span(span.first, span.last), None, None)
        return Parts(
            Span(span.first, first_month - DAY) if span.first < first_month else None,
            Span(first_month, last_month_end),
            Span(last_month_end + DAY, last) if last_month_end < last else None,
        )

    def elapsed(self, span: Span) -> Span:
        """Return the part of a span that is not in the future."""
        return Span(span.first, min(span.last, max(span.first, self.today)))

    def years(self) -> list[tuple[Period, list[Period]]]:
        """Return each year with its months, both the newest first, as far as they are known."""
        return [
            (self.parse(str(year)), [self.parse(f"{year}-{month:02}") for month in self._of(year)])
            for year in range(self.today.year, self.first.year - 1, -1)
        ]

    def _of(self, year: int) -> range:
        first = self.first.month if year == self.first.year else 1
        last = self.today.month if year == self.today.year else 12
        return range(last, first - 1, -1)

    def _span(self, text: str) -> Span | None:
        if text == "all":
            return Span(self.first, max(self.first, self.today))
        if match := _DAYS.fullmatch(text):
            return Span(self.today - (int(match[1]) - 1) * DAY, self.today)
        if match := _MONTHS.fullmatch(text):
            return Span(add_months(self.today, -int(match[1])) + DAY, self.today)
        return _dates(text)

    def _before(self, period: Period) -> Span | None:
        if period.text == "all":
            return None
        if not period.first <= self.today < period.last:
            return _stepped(period, -1)
        months = _whole_months(period)
        if months:
            return Span(add_months(period.first, -months), add_months(self.today, -months))
        return _stepped(self.elapsed(period), -1)


def named(span: Span) -> Period:
    """Return a span as a period: a whole year or month by its name, else by its two dates."""
    text = f"{span.first}..{span.last}"
    if _whole_months(span) == 12:  # noqa: PLR2004 - the months of a year
        text = str(span.first.year)
    elif _whole_months(span) == 1:
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
    """Return the same day of a later or earlier month, at most that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _dates(text: str) -> Span | None:
    """Read what does not lean on today: a year, a month or two dates."""
    if _WHOLE_YEAR.fullmatch(text):
        return Span(date(int(text), 1, 1), date(int(text), 12, 31))
    if match := _WHOLE_MONTH.fullmatch(text):
        first = date(int(match[1]), int(match[2]), 1)
        return Span(first, month_end(first))
    if match := _RANGE.fullmatch(text):
        return Span(date.fromisoformat(match[1]), date.fromisoformat(match[2]))
    return None


def _whole_months(span: Span) -> int:
    """Return 12 for a whole calendar year, 1 for a whole month, else 0."""
    if span.first.day != 1 or span.last != month_end(span.last):
        return 0
    months = (span.last.year - span.first.year) * 12 + span.last.month - span.first.month + 1
    return months if months == 1 or (months == 12 and span.first.month == 1) else 0  # noqa: PLR2004 - the months of a year


def _stepped(span: Span, by: int) -> Span:
    # The last 30 days may happen to be a whole month; they are still 30 days.
    is_days = isinstance(span, Period) and _DAYS.fullmatch(span.text)
    if not is_days and (months := _whole_months(span)):
        first = add_months(span.first, by * months)
        return Span(first, month_end(add_months(first, months - 1)))
    if isinstance(span, Period) and (match := _MONTHS.fullmatch(span.text)):
        first = add_months(span.first, by * int(match[1]))
        return Span(first, add_months(first, int(match[1])) - DAY)
    return Span(span.first + by * span.days * DAY, span.last + by * span.days * DAY)
