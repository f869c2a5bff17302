"""The known and unknown dates of a listener, and the previous periods to compare with. Pure."""

from dataclasses import dataclass
from datetime import date

from dashboard.period import (
    DAY,
    SEASONS,
    Period,
    PeriodError,
    Span,
    add_months,
    is_season,
    month_end,
    named,
    read,
    season,
    stepped,
    whole_months,
)

MOST_UNKNOWN = 0.1
"""Maximum share of unknown days in a comparison: more could look like a trend."""


@dataclass(frozen=True)
class Parts:
    """A span split into whole `months` and the days before (`head`) and after (`tail`) them.

    An empty part is None. A page reads `months` from views by month, `head` and `tail` from
    `reporting.plays`.
    """

    head: Span | None
    months: Span | None
    tail: Span | None


@dataclass(frozen=True)
class Comparison:
    """The period that a page's period is compared with.

    Attributes:
        before: The previous period.
        is_fair: True if at most 10 % of the days of each period are unknown.
        doubt: The number of unknown days in each period, in words; empty if there are none.
    """

    before: Period
    is_fair: bool
    doubt: str


@dataclass(frozen=True)
class Timeline:
    """The dates of a listener's history, and those that are unknown, in local dates.

    Attributes:
        first: The date of the first play.
        today: The listener's date now.
        gaps: The unknown dates: those in an open gap, and those after the last play or poll.
    """

    first: date
    today: date
    gaps: tuple[Span, ...] = ()

    def parse(self, text: str) -> Period:
        """Parse the text of a period, as in the URL.

        Raises:
            PeriodError: The text is not a period; the message lists the valid forms.
        """
        try:
            span = read(text, Span(self.first, max(self.first, self.today)))
        except (ValueError, OverflowError):
            span = None
        if span is None or span.first > span.last:
            raise PeriodError(
                f"\N{LEFT DOUBLE QUOTATION MARK}{text[:40]}\N{RIGHT DOUBLE QUOTATION MARK} is not "
                "a period. Use a year (2025), a month (2025-07), a season (2025-summer), two dates "
                "(2025-03-05..2025-07-31), 7d, 30d, 90d, 12m, month or all."
            )
        return Period(span.first, span.last, text)

    def compare(self, period: Period) -> Comparison | None:
        """Return the previous period; None for all time, or if it ends before the first play.

        A year or month that has not ended is compared with the same days of the previous year or
        month, an unfinished season with the same days of the previous year.
        """
        before = self._before(period)
        if before is None or before.last < self.first:
            return None
        shown = self.elapsed(period)
        unknown = [
            (name, span.days, self.unknown_days(span))
            for name, span in ((period.name, shown), (before.name, before))
        ]
        return Comparison(
            before,
            is_fair=all(lost <= days * MOST_UNKNOWN for _, days, lost in unknown),
            doubt=", ".join(
                f"{lost:,} of {days:,} days unknown in {name}"
                for name, days, lost in unknown
                if lost
            ),
        )

    def holds(self, day: date) -> bool:
        """True if a date lies between the first play and today, both included."""
        return self.first <= day <= self.today

    def missing(self, span: Span) -> tuple[Span, ...]:
        """Return the parts of a span in which plays may be missing: those within `gaps`."""
        found = (gap.within(span) for gap in self.gaps)
        return tuple(each for each in found if each)

    def unknown_days(self, span: Span) -> int:
        """Count the dates of a span that lie before the first play or within `gaps`."""
        early = span.within(Span(date.min, self.first - DAY))
        spans = (*([early] if early else []), *self.missing(span))
        return len({date for each in spans for date in each.dates})

    def step(self, period: Period, by: int) -> Period | None:
        """Return the period `by` steps later: 1 is the next one, -1 the previous one.

        None if it ends before the first play or starts after today, and for all time.
        """
        if period.text == "all":
            return None
        beside = stepped(period, by)
        return None if beside.last < self.first or beside.first > self.today else beside

    def parts(self, span: Span) -> Parts:
        """Split a span into whole months and the days before and after them.

        The month of the first play counts as whole if the span starts on or before that play's
        date, because there are no plays before it. The current month counts as whole if the span
        reaches today, because there are no plays after it.
        """
        first = span.first.replace(day=1) if span.first <= self.first else span.first
        last = max(span.last, month_end(span.last)) if span.last >= self.today else span.last
        first_month = first if first.day == 1 else month_end(first) + DAY
        last_month_end = last if last == month_end(last) else last.replace(day=1) - DAY
        if first_month > last_month_end:
            return Parts(Span(span.first, span.last), None, None)
        return Parts(
            Span(first, first_month - DAY) if first < first_month else None,
            Span(first_month, last_month_end),
            Span(last_month_end + DAY, last) if last_month_end < last else None,
        )

    def elapsed(self, span: Span) -> Span:
        """Return a span without its days after today; a span in the future keeps its first day."""
        return Span(span.first, min(span.last, max(span.first, self.today)))

    def years(self) -> list[tuple[Period, list[Period]]]:
        """Return each year since the first play with its seasons and months, the newest first."""
        return [
            (
                self.parse(str(year)),
                [
                    *self._seasons(year),
                    *(self.parse(f"{year}-{month:02}") for month in self._of(year)),
                ],
            )
            for year in range(self.today.year, self.first.year - 1, -1)
        ]

    def _seasons(self, year: int) -> list[Period]:
        known = Span(self.first, self.today)
        seasons = [season(year, name) for name in reversed(SEASONS)]
        return [each for each in seasons if each.within(known)]

    def _of(self, year: int) -> range:
        first = self.first.month if year == self.first.year else 1
        last = self.today.month if year == self.today.year else 12
        return range(last, first - 1, -1)

    def _before(self, period: Period) -> Period | None:
        if period.text == "all":
            return None
        if not period.first <= self.today < period.last:
            # Seasons differ from each other, so each is compared with itself one year earlier.
            return stepped(period, -len(SEASONS) if is_season(period) else -1)
        months = 12 if is_season(period) else whole_months(period)
        if months:
            return named(Span(add_months(period.first, -months), add_months(self.today, -months)))
        return stepped(self.elapsed(period), -1)
