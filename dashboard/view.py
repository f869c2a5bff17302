"""One request: a listener, a period, a measure and a counting rule, all from its URL.

The counting rules are defined by the view `reporting.plays`: its columns plays_all, plays_30s,
plays_half and plays_done are 1 if a play counts by the rule.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import Any, Self

from flask import request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, NotFound

from dashboard.ask import Ask
from dashboard.period import DAY, Period, PeriodError, Span
from dashboard.timeline import Comparison, Parts, Timeline
from shared.queries import Reader

ENOUGH_DAYS = 60
"""Days with plays that the current year needs to be the default: fewer show no trend."""

Operations = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Rule:
    """A counting rule, which decides which plays count; `meaning` is its name on the page."""

    name: str
    meaning: str

    @property
    def plays(self) -> str:
        """The column that holds the number of plays by this rule: `plays_30s`."""
        return f"plays_{self.name}"


RULES = {
    name: Rule(name, meaning)
    for name, meaning in {
        "30s": "30 s or more",
        "half": "half or 4 minutes",
        "done": "played to the end",
        "all": "every play",
    }.items()
}
MEASURES = ("plays", "minutes")


@dataclass(frozen=True)
class Choice:
    """The counting rule and the measure (plays or minutes) that the URL selects."""

    rule: Rule
    measure: str

    @property
    def columns(self) -> dict[str, str]:
        """The columns that replace `{plays}`, `{value}` and `{measure}` in a statement.

        `{value}` is a column of a view; `{measure}` is for a query that selects `{plays} AS plays`.
        """
        by_time = self.measure == "minutes"
        return {
            "plays": self.rule.plays,
            "value": "ms" if by_time else self.rule.plays,
            "measure": "ms" if by_time else "plays",
        }


@dataclass(frozen=True)
class Listener:
    """A listener with a play or a poll; dates and times are local to `time_zone`."""

    listener: str
    time_zone: str
    today: date
    first_date: date | None
    """None before the first play."""
    last_played_at_local: datetime | None
    last_known_on: date | None
    """The date of the last play or poll."""
    marked_months: int
    """The number of changed months that await a refresh."""
    gaps: tuple[Span, ...] = ()
    """Open gaps, as dates; read for the listener of the page only."""

    @property
    def timeline(self) -> Timeline:
        """The dates of the listener's history, and which of them are unknown."""
        return Timeline(self.first_date or self.today, self.today, self.gaps)


@dataclass(frozen=True)
class View:
    """One request for a page: what its URL selects, and access to the database."""

    listener: Listener
    listeners: tuple[Listener, ...]
    period: Period
    choice: Choice
    ask: Ask = field(repr=False)
    args: Mapping[str, str]
    """The arguments of the URL for single pages."""
    operations: Operations | None = field(default=None, repr=False)
    is_simulated: bool = False
    """Some plays of the listener are simulated."""

    @classmethod
    def of(
        cls,
        args: MultiDict[str, str],
        reader: Reader,
        operations: Operations | None = None,
        simulated: frozenset[str] = frozenset(),
    ) -> Self | None:
        """Read the arguments of a URL; return None if the database has no listener yet.

        Args:
            args: The arguments of the URL.
            reader: Reads Postgres.
            operations: Returns what `plays status --json` prints.
            simulated: The listeners whose history holds simulated plays.

        Raises:
            NotFound: The database has no listener of that name.
            BadRequest: The period, the rule or the measure is invalid.
        """
        if any("\0" in value for value in args.values()):
            # Postgres rejects a NUL character in a text.
            raise BadRequest(
                "The address contains a NUL character, which is not allowed. Remove %00 from it."
            )
        choice = Choice(
            RULES[_one_of(RULES, args.get("rule", "30s"), "counting rule")],
            _one_of(MEASURES, args.get("measure", "plays"), "measure"),
        )
        rows = Ask(reader, {}, {}).rows("view.listeners")
        listeners = tuple(Listener(**row) for row in rows)
        if not listeners:
            return None
        listener = _with_gaps(_listener(listeners, args.get("listener")), reader)
        period = _period(listener, args.get("period"), reader)
        return cls(
            listener=listener,
            listeners=listeners,
            period=period,
            choice=choice,
            ask=Ask(reader, choice.columns, _parameters(listener, choice, period)),
            args={name: args[name] for name in OWN if name in args},
            operations=operations,
            is_simulated=listener.listener in simulated,
        )

    @property
    def timeline(self) -> Timeline:
        """The dates of the listener's history, and which of them are unknown."""
        return self.listener.timeline

    @property
    def shown(self) -> Span:
        """The period without its future days."""
        return self.timeline.elapsed(self.period)

    def at(self, period: Period) -> Self:
        """Return the same request for another period."""
        ask = self.ask.bound(_parameters(self.listener, self.choice, period))
        return replace(self, period=period, ask=ask)

    @property
    def known(self) -> Span | None:
        """The dates of the period from the first play to today; None if it has no such date."""
        return self.shown.within(Span(self.timeline.first, self.timeline.today))

    @property
    def is_unknown(self) -> bool:
        """True if every date shown lies before the first play or in an open gap."""
        return self.timeline.unknown_days(self.shown) == self.shown.days

    def counted(self, count: int) -> int | None:
        """Return a count of the period; None if it is 0 and every date of the period is unknown."""
        return None if not count and self.is_unknown else count

    def day_url(self, day: date) -> str | None:
        """Return the address of a date's plays; None before the first play or after today."""
        return self.url("day", day=day.isoformat()) if self.timeline.holds(day) else None

    @cached_property
    def comparison(self) -> Comparison | None:
        """The previous period, and whether enough days of both are known; None if none exists."""
        return self.timeline.compare(self.period)

    @property
    def before(self) -> Period | None:
        """The previous period; None if none exists or over 10 % of the days of one are unknown."""
        return self.comparison.before if self.comparison and self.comparison.is_fair else None

    @property
    def shown_name(self) -> str:
        """The name of the period, or its dates until today if it ends later."""
        return self.period.name if self.shown.last == self.period.last else self.shown.name

    @property
    def rule(self) -> Rule:
        """The counting rule that the URL selects."""
        return self.choice.rule

    @property
    def measure(self) -> str:
        """The measure that the URL selects: `plays` or `minutes`."""
        return self.choice.measure

    @property
    def by_time(self) -> bool:
        """True if the page measures minutes, in the column ms, instead of plays."""
        return self.measure == "minutes"

    @property
    def state(self) -> dict[str, str]:
        """The URL arguments that every link repeats: period, listener, measure and rule.

        Defaults are left out, except for the period.
        """
        state = {"period": self.period.text}
        if len(self.listeners) > 1:
            state["listener"] = self.listener.listener
        if self.by_time:
            state["measure"] = self.measure
        if self.rule.name != "30s":
            state["rule"] = self.rule.name
        return state

    def number(self, name: str, known: Iterable[int]) -> int | None:
        """Return the numeric URL argument `name`; None if it is missing.

        Raises:
            BadRequest: The value is not one of the `known` numbers.
        """
        if name not in self.args:
            return None
        return int(_one_of([str(each) for each in known], self.args[name], name))

    def url(self, page: str, **values: Any) -> str:
        """Return the address of a page that keeps the listener, period, measure and rule.

        `values` adds or changes arguments; the value None removes one.
        """
        return url_for(page, **{**self.state, **values})

    def here(self, **changes: Any) -> str:
        """Return the address of this page with changed arguments; the value None removes one."""
        return self.url(
            str(request.endpoint), **{**(request.view_args or {}), **self.args, **changes}
        )


STATE = ("listener", "period", "measure", "rule")
"""The arguments of the URL that every page reads."""
OWN = ("kind", "sort", "search", "operations", "hour", "weekday", "platform", "size")
"""The arguments of single pages. Others are ignored, so links contain known arguments only."""


def _one_of(known: Any, name: str, what: str) -> str:
    if name not in known:
        raise BadRequest(f"There is no such {what}. Use one of: {', '.join(known)}.")
    return name


def _listener(listeners: tuple[Listener, ...], name: str | None) -> Listener:
    if name is None:
        # The most recent listener, because a person who stopped years ago is rarely wanted.
        return max(listeners, key=lambda each: each.last_played_at_local or datetime.min)  # noqa: DTZ901 - local
    for each in listeners:
        if each.listener == name:
            return each
    names = ", ".join(each.listener for each in listeners)
    raise NotFound(f"There is no such listener. Choose one of: {names}.")


def _with_gaps(listener: Listener, reader: Reader) -> Listener:
    """Return the listener with the dates of open gaps and the days after the last play or poll."""
    rows = Ask(reader, {}, {}).rows(
        "view.gaps", listener=listener.listener, zone=listener.time_zone
    )
    gaps = [Span(row["first"], row["last"]) for row in rows]
    if listener.last_known_on and listener.last_known_on < listener.today:
        gaps.append(Span(listener.last_known_on + DAY, listener.today))
    return replace(listener, gaps=tuple(gaps))


def _period(listener: Listener, text: str | None, reader: Reader) -> Period:
    timeline = listener.timeline
    if text is not None:
        try:
            return timeline.parse(text)
        except PeriodError as error:
            raise BadRequest(str(error)) from error
    year, months = timeline.parse(str(listener.today.year)), timeline.parse("12m")
    days = Ask(reader, {}, {}).row(
        "view.days_with_plays",
        listener=listener.listener,
        year_first=year.first,
        months_first=months.first,
    )
    if days["this_year"] >= ENOUGH_DAYS:
        return year
    return months if days["last_months"] else timeline.parse("all")


def _parameters(listener: Listener, choice: Choice, period: Period) -> dict[str, Any]:
    timeline = listener.timeline
    comparison = timeline.compare(period)
    before = comparison.before if comparison and comparison.is_fair else None
    none = Parts(None, None, None)
    return {
        "listener": listener.listener,
        "zone": listener.time_zone,
        "rule": choice.rule.name,
        "is_all": period.text == "all",
        "before_is_all": False,
        **_bounds("", period),
        **_bounds("before_", before),
        **_part_bounds("", timeline.parts(period)),
        **_part_bounds("before_", timeline.parts(before) if before else none),
    }


def _part_bounds(prefix: str, parts: Parts) -> dict[str, date | None]:
    return {
        **_bounds(f"{prefix}head_", parts.head),
        **_bounds(f"{prefix}months_", parts.months),
        **_bounds(f"{prefix}tail_", parts.tail),
    }


def _bounds(prefix: str, span: Span | None) -> dict[str, date | None]:
    return {
        f"{prefix}first": span.first if span else None,
        f"{prefix}last": span.last if span else None,
    }
