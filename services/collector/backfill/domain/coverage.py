"""Computes the time that an upload covers, as spans without a missing play; pure.

A part is one JSON file of an export. A span reaches from the first to the last play of one part, or
of several consecutive parts. Two parts are consecutive if their names follow one another in every
naming scheme that fits them (`part_names`), and no other part of the upload holds a play between.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from services.collector.backfill.domain.part_names import (
    Joint,
    ShuffledExport,
    joints,
    shuffled_exports,
)
from shared.models import Span

LISTED_SPANS = 100
"""Most spans in a report, because it must fit into one message."""

NEW_YEAR = timedelta(days=3)
"""Longest time without a play over New Year that still joins two parts into one span.

It applies to parts whose numbers restart each year, because their names cannot show that the last
part of a year is missing. A listener who pauses for longer over New Year therefore has two spans.
"""


class Ends:
    """The earliest and the latest of the added instants; None before the first is added."""

    def __init__(self) -> None:
        self.first: datetime | None = None
        self.last: datetime | None = None

    def take(self, instants: list[datetime]) -> None:
        """Add the instants of some plays; they may be in any order, but there must be one."""
        self.first = min(self.first or instants[0], *instants)
        self.last = max(self.last or instants[0], *instants)

    @property
    def span(self) -> Span | None:
        """The span from `first` to `last`."""
        if self.first is None or self.last is None:
            return None
        return Span(started_at=self.first, ended_at=self.last)


class Part(NamedTuple):
    """One JSON file of an export with plays of music: its path, and the span of its plays."""

    path: str
    span: Span | None
    """None if it has no readable play."""
    is_whole: bool
    """True if every row is readable."""


def covered(parts: Iterable[Part]) -> tuple[Span, ...]:
    """Return the spans of time of which an upload holds every play.

    A part with an unreadable row covers nothing. Neither does a part that overlaps it in time,
    because the parts of one export never overlap.

    Returns:
        The longest spans, at most `LISTED_SPANS`, sorted by time and disjoint.
    """
    parts = list(parts)
    exports = shuffled_exports(part.path for part in parts)
    shuffled = {path for export in exports for path in export.paths}
    ordered = [part for part in parts if part.path not in shuffled]
    broken = [part.span for part in parts if part.span and not part.is_whole]
    sound = {
        part.path: part.span
        for part in ordered
        if part.span and part.is_whole and not _overlaps(part.span, broken)
    }
    exported = (span for span in _whole_exports(parts, exports) if not _overlaps(span, broken))
    silences = _silences(part.span for part in parts if part.span)
    between = _between(sound, joints(part.path for part in ordered))
    joined = _joined([*sound.values(), *exported, *(span for span in between if span in silences)])
    longest = sorted(joined, key=_length, reverse=True)[:LISTED_SPANS]
    return tuple(sorted(longest, key=attrgetter("started_at")))


def _whole_exports(parts: Iterable[Part], exports: Iterable[ShuffledExport]) -> Iterator[Span]:
    """Yield the span of each unsorted export that has all its parts and only readable rows."""
    for export in exports:
        held = [part for part in parts if part.path in export.paths]
        spans = [part.span for part in held if part.span]
        if spans and export.is_complete and all(part.is_whole for part in held):
            yield Span(
                started_at=min(span.started_at for span in spans),
                ended_at=max(span.ended_at for span in spans),
            )


def _between(sound: Mapping[str, Span], found: Iterable[Joint]) -> Iterator[Span]:
    """Yield the time between two consecutive parts, if `sound` holds both.

    `sound` holds the parts with only readable rows that overlap no part with unreadable ones.
    """
    for joint in found:
        before, after = sound.get(joint.before), sound.get(joint.after)
        if before and after and before.ended_at < after.started_at:
            silence = Span(started_at=before.ended_at, ended_at=after.started_at)
            if not joint.over_new_year or silence.ended_at - silence.started_at <= NEW_YEAR:
                yield silence


def _silences(spans: Iterable[Span]) -> set[Span]:
    """Return the times between the first and the last span that no span covers."""
    return {
        Span(started_at=one.ended_at, ended_at=other.started_at)
        for one, other in pairwise(_joined(spans))
    }


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Join spans that overlap or touch; sort the result by time."""
    joined: list[Span] = []
    for span in sorted(spans, key=attrgetter("started_at")):
        if joined and span.started_at <= joined[-1].ended_at:
            ended_at = max(joined[-1].ended_at, span.ended_at)
            joined[-1] = Span(started_at=joined[-1].started_at, ended_at=ended_at)
        else:
            joined.append(span)
    return joined


def _overlaps(span: Span, others: Iterable[Span]) -> bool:
    # Neighbouring parts of a sorted export may touch.
    return any(
        span.started_at < other.ended_at and other.started_at < span.ended_at for other in others
    )


def _length(span: Span) -> float:
    return (span.ended_at - span.started_at).total_seconds()
