"""Which records can meet: the neighbourhoods that new records fall into; pure but for `near`.

Only records near each other can be one play, so the rows of a neighbourhood can be worked out
without the rest of the table.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from services.loader.identity import EXPORT_SHIFT
from services.loader.records import (
    API,
    EXPORT,
    Record,
    Row,
    apart,
    instant_of,
)
from services.loader.tracks import is_same_track, track_keys

Near = Callable[[Sequence[Record], Container[int]], Sequence[Row]]
"""Gives the stored rows that may stand for records near the given ones, save the known ids'.

It may give more rows than that.
"""


def find_neighbourhoods(
    incoming: Sequence[Record],
    near: Near,
    window: timedelta,
) -> tuple[dict[int, Row], list[list[Record]]]:
    """Group the incoming records with the stored ones that they can meet, however indirectly."""
    stored: dict[int, Row] = {}
    records, frontier = list(incoming), list(incoming)
    while True:
        found = near(frontier, stored)
        stored.update((row.id, row) for row in found if row.id is not None)
        records += [record for row in found for record in row.records]
        groups = _groups(records, stored, window)
        if not found:
            return stored, groups
        fresh = {row.id for row in found}
        frontier = [record for group in groups if any(r.batch is not None for r in group)
                    for record in group if record.row_id in fresh]  # fmt: skip
        if not frontier:
            return stored, groups


def _groups(records: list[Record], stored: dict[int, Row], window: timedelta) -> list[list[Record]]:
    """Part the records into neighbourhoods: records that are near, or stand in one row."""
    leader: dict[Record, Record] = {}

    def lead(record: Record) -> Record:
        while (above := leader.get(record)) is not None:
            record = above
        return record

    def join(one: Record, other: Record) -> None:
        first, second = lead(one), lead(other)
        if first is not second:
            leader[second] = first

    for one, other in _near_pairs(records, window):
        join(one, other)
    # What stands in one row stays together, though the window may have been wider once.
    for row in stored.values():
        for one, other in pairwise(row.records):
            join(one, other)
    if not leader:
        return [[record] for record in records]
    groups: dict[Record, list[Record]] = defaultdict(list)
    for record in records:
        groups[lead(record)].append(record)
    return list(groups.values())


def _near_pairs(records: list[Record], window: timedelta) -> Iterator[tuple[Record, Record]]:
    apis = sorted((r for r in records if r.source == API), key=instant_of)
    exports = sorted((r for r in records if r.source == EXPORT), key=instant_of)
    yield from _neighbours(apis)
    yield from _neighbours(exports)
    instants = [instant_of(record) for record in exports]
    for api in apis:
        at = instant_of(api)
        start, stop = bisect_left(instants, at - window), bisect_right(instants, at + window)
        for export in exports[start:stop]:
            if is_same_track(api.play, export.play):
                yield api, export


def _neighbours(ordered: list[Record]) -> Iterator[tuple[Record, Record]]:
    """Pair records of one source and the same track that follow each other within a second.

    That is wider than rules 1 and 2, which `resolve` applies; it takes one look at each record.
    """
    latest: dict[object, Record] = {}
    crowded = {id(r) for pair in pairwise(ordered) if apart(*pair) <= EXPORT_SHIFT for r in pair}
    for record in ordered if crowded else ():
        if id(record) not in crowded:
            continue
        for key in track_keys(record.play):
            before = latest.get(key)
            if before is not None and apart(before, record) <= EXPORT_SHIFT:
                yield before, record
            latest[key] = record
