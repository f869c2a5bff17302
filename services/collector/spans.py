"""What the files of an upload cover: spans of time, joined where they meet; pure."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from shared.models import Span

LISTED_SPANS = 100
"""Most spans that a report tells, the longest first: it must fit into one message."""


class Ends:
    """The first and the last instant of those that were taken in, None before there is one."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None

    def take(self, instants: list[datetime]) -> None:
        """Take in instants, at least one, in any order: old exports have none."""
        self.first = min(self.first or instants[0], *instants)
        self.last = max(self.last or instants[0], *instants)

    @property
    def span(self) -> Span | None:
        """The time from the first to the last."""
        if self.first is None or self.last is None:
            return None
        return Span(started_at=self.first, ended_at=self.last)


def join_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Join spans that overlap; give the longest of the result, in order of time.

    The parts of an old export tell of one time all of them, for they are in no order.
    """
    joined: list[Span] = []
    for span in sorted(spans, key=attrgetter("started_at")):
        if joined and span.started_at <= joined[-1].ended_at:
            ended_at = max(joined[-1].ended_at, span.ended_at)
            joined[-1] = Span(started_at=joined[-1].started_at, ended_at=ended_at)
        else:
            joined.append(span)
    longest = sorted(joined, key=_length, reverse=True)[:LISTED_SPANS]
    return tuple(sorted(longest, key=attrgetter("started_at")))


def _length(span: Span) -> float:
    return (span.ended_at - span.started_at).total_seconds()
