"""Charts without JavaScript: scales, ticks and paths, which templates/drawn.html renders.

Positions are percent of the chart, from its left edge and from its top. So a chart fills the
available width, and its labels, which are HTML, keep their size on a phone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil, cos, floor, log10, pi, sin

HOURS = 24
INNER, OUTER = 34.0, 92.0
"""Radii of the clock in a square of 200: where a sector starts, and where the fullest hour ends."""
MOST_LABELS = 14
"""The maximum number of labels side by side below a chart."""


@dataclass(frozen=True)
class Bar:
    """One column of a bar chart, with its `value` and its axis `label`.

    `part` is the highlighted part of the value, `before` an earlier value to compare with, `title`
    the tooltip. `is_faint` marks a column with missing plays.
    """

    label: str
    value: float | None
    title: str
    href: str | None = None
    part: float | None = None
    before: float | None = None
    is_faint: bool = False


@dataclass(frozen=True)
class Columns:
    """A bar chart: its columns in percent of the highest axis tick, and its ticks, lowest first."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[float, float], ...]
    """Pairs of percent and value."""


def columns(bars: Iterable[Bar], unit: float = 1) -> Columns:
    """Scale bars to percent of the highest axis tick; labels that would not fit become empty.

    `unit` is the unit of the axis: 3,600,000 for hours if the values are milliseconds. Ticks are
    round numbers in that unit.
    """
    given = tuple(bars)
    ticks = ticks_up_to(highest(given) / unit)
    top = ticks[-1]

    def percent(value: float | None) -> float | None:
        return None if value is None else 100 * value / unit / top

    step = ceil(len(given) / MOST_LABELS)
    return Columns(
        tuple(
            replace(
                bar,
                label=bar.label if position % step == 0 else "",
                value=percent(bar.value),
                part=percent(bar.part),
                before=percent(bar.before),
            )
            for position, bar in enumerate(given)
        ),
        tuple((100 * tick / top, tick) for tick in ticks),
    )


def highest(bars: Iterable[Bar]) -> float:
    """Return the highest `value` or `before` of the bars; 0 if all are unknown."""
    return max(
        (value for bar in bars for value in (bar.value, bar.before) if value is not None), default=0
    )


def ticks_up_to(most: float, about: int = 4) -> list[float]:
    """Return about `about` round axis ticks from 0 to the first one at or above `most`."""
    if most <= 0:
        return [0, 1]
    rough = most / about
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 3, 4, 5, 10) if power * factor >= rough)
    return [step * number for number in range(ceil(most / step) + 1)]


@dataclass(frozen=True)
class Cell:
    """One cell of a heat map: `value` is its shade, 0 to 1, or None if unknown."""

    value: float | None
    text: str
    title: str
    href: str | None = None
    is_gap: bool = False


def shares(values: Sequence[float | None]) -> list[float | None]:
    """Return each value divided by the largest: 0 to 1; unknown values stay None."""
    most = max((value for value in values if value), default=0)
    return [None if value is None else (value / most if most else 0.0) for value in values]


@dataclass(frozen=True)
class Line:
    """One line of a line chart: its points in percent, the SVG path through them, and `end`."""

    path: str
    points: tuple[tuple[float, float] | None, ...]
    end: float
    """The position of the line's name, at its last known point, in percent from the top."""


def line(values: Sequence[float | None], low: float, high: float) -> Line:
    """Draw a line through values; the axis runs from `low` (bottom) to `high` (top).

    The values are spaced evenly. The line is interrupted where a value is unknown; a known value
    between two unknown ones is a short dash.
    """
    wide = max(len(values) - 1, 1)
    points = tuple(
        None
        if value is None
        else (100 * at / wide, 100 * min(max((high - value) / (high - low), 0), 1))
        for at, value in enumerate(values)
    )
    known = [list(run) for is_known, run in groupby(points, bool) if is_known]
    path = "".join(_stroke([point for point in run if point]) for run in known)
    last = next((point for point in reversed(points) if point), (100.0, 50.0))
    return Line(path, points, last[1])


def _stroke(points: list[tuple[float, float]]) -> str:
    begin, *rest = points
    moves = [f"M{begin[0]:.2f},{begin[1]:.2f}", *(f"L{x:.2f},{y:.2f}" for x, y in rest)]
    return "".join(moves if rest else [*moves, "h.4"])


def spread(ends: Sequence[float], apart: float) -> list[float]:
    """Move labels of lines apart: return positions at least `apart` percent from each other.

    `ends` are the wanted positions, in percent of the height. Their order is kept. If there is not
    enough room between 0 and 100, the labels are spaced evenly.
    """
    order = sorted(range(len(ends)), key=lambda number: ends[number])
    apart = min(apart, 100 / max(len(ends) - 1, 1))
    placed = dict.fromkeys(order, 0.0)
    floor_ = 0.0
    for number in order:
        placed[number] = max(ends[number], floor_)
        floor_ = placed[number] + apart
    ceiling = 100.0
    for number in reversed(order):
        placed[number] = min(placed[number], ceiling)
        ceiling = placed[number] - apart
    return [placed[number] for number in range(len(ends))]


def sectors(values: Sequence[float | None]) -> list[str]:
    """Draw a clock of 24 hours: return the SVG path of each hour's sector, midnight at the top.

    The clock fills a square of 200 by 200. A sector's length shows its hour's value as a share of
    the largest value.
    """
    return [
        _sector(hour, INNER + (OUTER - INNER) * (share or 0.0))
        for hour, share in enumerate(shares(values))
    ]


def _sector(hour: int, radius: float) -> str:
    # A gap of 1/50 of a sector on each side separates neighbours.
    begin, end = ((hour + edge) / HOURS * 2 * pi for edge in (0.04, 0.96))
    corners = [(INNER, begin), (radius, begin), (radius, end), (INNER, end)]
    (a, b, c, d) = (
        f"{100 + r * sin(angle):.1f},{100 - r * cos(angle):.1f}" for r, angle in corners
    )
    return f"M{a}L{b}A{radius:.1f},{radius:.1f} 0 0 1 {c}L{d}A{INNER},{INNER} 0 0 0 {a}Z"
