"""What the files of an upload cover: spans of time, joined where they meet; pure."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

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


class Part(NamedTuple):
    """A file of music that tells of plays: its path in the upload, and from when to when."""

    path: str
    span: Span
    is_whole: bool
    """Whether it was read to its end, and all of it could be."""


def covered(parts: Iterable[Part]) -> tuple[Span, ...]:
    """Tell in which time none of an upload's plays is missing; the longest spans, in order of time.

    A part that is not whole covers nothing, and takes with it what overlaps: the files of an old
    export are in no order, so its missing rows may lie anywhere in the time of the others.
    """
    parts = list(parts)
    broken = _joined(part.span for part in parts if not part.is_whole)
    whole = [part for part in parts if part.is_whole and not _overlaps(part.span, broken)]
    joined = _joined([*(part.span for part in whole), *_between(whole)])
    longest = sorted(joined, key=_length, reverse=True)[:LISTED_SPANS]
    return tuple(sorted(longest, key=attrgetter("started_at")))


def _between(parts: Iterable[Part]) -> Iterator[Span]:
    """Give the time between parts of one series that follow each other: nothing was played in it.

    Spotify cuts a sorted history into numbered files, so where one ends and the next begins no
    play can be missing.
    """
    numbered = [(place, part.span) for part in parts if (place := _place(part.path))]
    for (here, span), (there, later) in pairwise(sorted(numbered, key=lambda each: each[0])):
        follows = (here.series, here.number + 1) == there
        if follows and span.ended_at < later.started_at:
            yield Span(started_at=span.ended_at, ended_at=later.started_at)


class _Place(NamedTuple):
    series: str
    number: int


def _place(path: str) -> _Place | None:
    """Read from its path which file of a series one is; None where the name has no number."""
    match = _NUMBERED.fullmatch(path.replace("\\", "/").lower())
    return _Place(match["series"], int(match["number"])) if match else None


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch; the result is in order of time."""
    joined: list[Span] = []
    for span in sorted(spans, key=attrgetter("started_at")):
        if joined and span.started_at <= joined[-1].ended_at:
            ended_at = max(joined[-1].ended_at, span.ended_at)
            joined[-1] = Span(started_at=joined[-1].started_at, ended_at=ended_at)
        else:
            joined.append(span)
    return joined


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    # Parts of a sorted history that follow each other may touch.
    return any(
        span.started_at < other.ended_at and other.started_at < span.ended_at for other in others
    )


def _length(span: Span) -> float:
    return (span.ended_at - span.started_at).total_seconds()


# endsong_3.json, Streaming_History_Audio_2014-2021_0.json. Years are in no series, for each file
# has its own; and a year is no number of a file: Streaming_History_Audio_2018.json has none.
_NUMBERED = re.compile(r"(?P<series>.*?)(_\d{4}(-\d{4})?)?_(?P<number>\d{1,3})\.json")
