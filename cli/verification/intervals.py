"""Cuts and measures spans of time; pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple


class Interval(NamedTuple):
    """A span of time from `start` to `end`."""

    start: datetime
    end: datetime


def without(spans: Iterable[Interval], others: Iterable[Interval]) -> list[Interval]:
    """Return the parts of `spans` that lie in none of `others`."""
    left = [span for span in spans if span.start < span.end]
    for other in others:
        left = [
            part
            for span in left
            for part in (
                Interval(span.start, min(span.end, other.start)),
                Interval(max(span.start, other.end), span.end),
            )
            if part.start < part.end
        ]
    return left


def within(spans: Iterable[Interval], limits: Interval) -> list[Interval]:
    """Return the parts of `spans` that lie within `limits`."""
    cut = (Interval(max(s.start, limits.start), min(s.end, limits.end)) for s in spans)
    return [span for span in cut if span.start < span.end]


def longer(spans: Iterable[Interval], least: timedelta) -> list[Interval]:
    """Return the spans that are longer than `least`."""
    return [span for span in spans if span.end - span.start > least]


def seconds(spans: Iterable[Interval]) -> int:
    """Return the total length of disjoint spans in whole seconds."""
    return round(sum((span.end - span.start).total_seconds() for span in spans))
