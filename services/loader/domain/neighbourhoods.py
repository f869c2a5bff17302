"""Groups new records with the stored records that may be the same play; pure except for `near`.

Such a group is called a neighbourhood. The rules that join records (`identity`) join only records
that lie near each other in time, so the rows of a neighbourhood can be computed without the rest of
the table. A neighbourhood may be a long chain in which each record is near the next, so every step
here takes time in proportion to the number of records.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from services.loader.domain.identity import BUMP, EXPORT_SHIFT, can_match, repeat_marks, within
from services.loader.domain.records import API, EXPORT, Record, Row, apart, instant_of
from services.loader.domain.tracks import track_keys

NO_MARGIN = timedelta()

Probe = tuple[Record, timedelta]
"""A record, and how far to search around it, beyond the distance at which rules join records."""

Near = Callable[[Sequence[Probe], Mapping[int, Row]], Sequence[Row]]
"""Returns the stored rows that may stand for records near the probes, except the known rows.

It may also return rows that are not near.
"""

Link = tuple[Record, Record]


def find_neighbourhoods(
    incoming: Sequence[Record],
    near: Near,
    window: timedelta,
) -> tuple[dict[int, Row], list[list[Record]]]:
    """Group the incoming records with the stored records that may be the same plays.

    Two records are in one group if the rules of `identity` can join them directly, or through a
    chain of other records.

    Returns:
        The stored rows that were found, by id, and the groups.
    """
    stored: dict[int, Row] = {}
    probed: set[Record] = set()
    records = list(incoming)
    probes: list[Probe] = [(record, NO_MARGIN) for record in incoming]
    groups: list[list[Record]] = []
    while probes:
        found = near(probes, stored)
        stored.update((row.id, row) for row in found if row.id is not None)
        records += [record for row in found for record in row.records]
        if found or not groups:
            groups = _groups(records, stored, window)
        probes = [p for group in groups if len(group) > 1 for p in _probes(group, probed)]
        probed.update(record for record, _ in probes)
    return stored, groups


def _probes(group: list[Record], probed: set[Record]) -> Iterator[Probe]:
    """Yield where to search for more stored rows: around each stored record not searched before.

    The margin is the time from the first to the last record of the group, so that each query
    triples the time that is searched.
    """
    if all(record.batch is None for record in group):
        return
    fresh = [r for r in group if r.row_id is not None and r not in probed]
    if fresh:
        instants = [instant_of(record) for record in group]
        length = max(instants) - min(instants)
        yield from ((record, length) for record in fresh)


def _groups(records: list[Record], stored: dict[int, Row], window: timedelta) -> list[list[Record]]:
    """Divide the records into groups: linked records and records of one stored row stay together.

    Linked records are pairs from `_links`.
    """
    leader: dict[Record, Record] = {}

    def lead(record: Record) -> Record:
        while (above := leader.get(record)) is not None:
            # Halve the path for later calls, or a long chain would take quadratic time.
            leader[record] = leader.get(above, above)
            record = above
        return record

    def join(one: Record, other: Record) -> None:
        first, second = lead(one), lead(other)
        if first is not second:
            leader[second] = first

    for one, other in _links(records, window):
        join(one, other)
    # Records of one row stay together, because the window may have been wider when they met.
    for row in stored.values():
        for one, other in pairwise(row.records):
            join(one, other)
    if not leader:
        return [[record] for record in records]
    groups: dict[Record, list[Record]] = defaultdict(list)
    for record in records:
        groups[lead(record)].append(record)
    return list(groups.values())


def _links(records: list[Record], window: timedelta) -> Iterator[Link]:
    """Yield pairs of records that belong in one group.

    The pairs are enough to connect all records that the rules can join, directly or through others.
    """
    by_key: dict[object, list[Record]] = defaultdict(list)
    for record in _crowded(records, window):
        for key in track_keys(record.play):
            by_key[key].append(record)
    for theirs in by_key.values():
        if len(theirs) > 1:
            yield from _repeats(theirs)
            yield from _matches(theirs, window)


def _crowded(records: list[Record], window: timedelta) -> list[Record]:
    """Return the records so near another record in time that a rule may join them, sorted by time.

    Most records have no other record that near, so this cheap check spares them the comparison of
    tracks.
    """
    apis = sorted((r for r in records if r.source == API), key=instant_of)
    exports = sorted((r for r in records if r.source == EXPORT), key=instant_of)
    pairs = (pair for ordered in (apis, exports) for pair in pairwise(ordered))
    crowded = {record for pair in pairs if apart(*pair) <= EXPORT_SHIFT for record in pair}
    if apis and exports:
        reach = max(window, BUMP)
        crowded.update(api for api in apis if within(exports, api, reach))
        crowded.update(export for export in exports if within(apis, export, reach))
    return sorted(crowded, key=instant_of)


def _repeats(ordered: list[Record]) -> Iterator[Link]:
    """Yield pairs of records that rule 1 or 2 can join, or whose rows may get the same instant.

    All records share one track key and are sorted by time.
    """
    yield from (pair for pair in pairwise(ordered) if apart(*pair) <= BUMP)
    latest: dict[object, Record] = {}
    for record in ordered:
        for mark in repeat_marks(record):
            earlier = latest.get(mark)
            if earlier is not None and apart(earlier, record) <= EXPORT_SHIFT:
                yield earlier, record
            latest[mark] = record


def _matches(ordered: list[Record], window: timedelta) -> Iterator[Link]:
    """Yield pairs that connect each API record with all export records that rule 3 can join to it.

    All records share one track key and are sorted by time. The export records around one API record
    are paired in a chain, so that the number of pairs grows linearly with the number of records.
    """
    apis = [record for record in ordered if record.source == API]
    if not apis:
        return
    exports = [record for record in ordered if record.source == EXPORT and can_match(record)]
    linked = 0
    for api in apis:
        places = within(exports, api, window)
        if places:
            yield api, exports[places[0]]
            fresh = exports[max(linked, places[0]) : places[-1] + 1]
            yield from pairwise(fresh)
            linked = max(linked, places[-1])
