"""When are two records one play? The rules of identity, pure.

A record is what one source says of one play. Rows are a function of the set of all records and
of nothing else, so that the table is the same for every order, split and repetition of the same
input. Two records of one listener and the same track are the same play when they are

1. two API records less than 1 s apart: Spotify moves `played_at` by some ms, a play needs 30 s;
2. two export records at the same instant (the longer `ms_played` stays), or within 1 s with equal
   `ms_played` above 1,000: a later export moves `ts` by 1 s, but two skips of 0 ms are two;
3. an API and an export record within `window`, the export's of at least 10 s: nearest first, one
   to one. Both then make one row: the API's word, and the export's where the API is silent.

The track is the same when the uri is, or the ISRC, or the case-folded names: Spotify relinks uris.
Ties fall to the nearer, then the earlier, then the lower uri. Only records near each other can
meet, so it is enough to work out the neighbourhoods that new records fall into.

Source: the measured reasons stand in docs/adr/0002-one-play-one-row.md.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from operator import attrgetter, itemgetter
from typing import Literal

from shared.models import Play, Source

API: Source = "recently-played"
EXPORT: Source = "extended-history"

API_SHIFT = timedelta(seconds=1)
EXPORT_SHIFT = timedelta(seconds=1)
SHIFTED_MS = 1_000
MATCHED_MS = 10_000
MATCH_WINDOW = timedelta(seconds=90)
BUMP = timedelta(milliseconds=1)

FIELDS = tuple(Play.model_fields)
PLAYED_AT = FIELDS.index("played_at")
values_of: Callable[[Play], tuple[object, ...]] = attrgetter(*FIELDS)

Outcome = Literal["inserted", "upgraded", "duplicates", "regrouped"]


@dataclass(slots=True, eq=False)
class Record:
    """What one source says of one play.

    `batch` is the incoming batch that brought it, None when it is stored; `row_id` the stored row
    that stands for it.
    """

    source: Source
    play: Play
    batch: int | None = None
    row_id: int | None = None


@dataclass(slots=True, eq=False)
class Row:
    """One row of listening_history and every record that it stands for.

    `api` and `export` are the records whose words it shows; at least one is there.
    """

    id: int | None
    played_at: datetime
    api: Record | None
    export: Record | None
    records: list[Record]

    @property
    def source(self) -> str:
        """`recently-played`, `extended-history` or `both`."""
        if self.api and self.export:
            return "both"
        return API if self.api else EXPORT

    def values(self) -> list[object]:
        """Give the columns that a Play has, in its order: the API's word first."""
        shown = [values_of(record.play) for record in (self.api, self.export) if record]
        merged = list(shown[0])
        for value in shown[1:]:
            merged = [ours if ours is not None else theirs
                      for ours, theirs in zip(merged, value, strict=True)]  # fmt: skip
        merged[PLAYED_AT] = self.played_at
        return merged


Near = Callable[[Sequence[Record], Container[int]], Sequence[Row]]
"""Gives the stored rows that may stand for records near the given ones, save the known ids'.

It may give more rows than that.
"""


@dataclass(slots=True)
class Changes:
    """What a merge does to the table, and what became of each batch's plays.

    `rows` are written (under their id where they have one, which `deleted` then names too).
    """

    rows: list[Row] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    outcomes: dict[int, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))


def merge(
    incoming: Sequence[Record],
    near: Near,
    window: timedelta = MATCH_WINDOW,
) -> Changes:
    """Work out what new records of one listener change.

    Args:
        incoming: In any order; may repeat each other and what is stored.
        near: Looks up stored rows.
        window: How far an API and an export record of one play may lie apart.
    """
    changes = Changes()
    stored, groups = _neighbourhoods(incoming, near, window)
    for group in groups:
        if len(group) == 1 and group[0].row_id is None:
            _insert(group[0], changes)
        elif any(record.batch is not None for record in group):
            _regroup(group, stored, changes, window)
    return changes


def resolve(records: Iterable[Record], window: timedelta) -> list[Row]:
    """Make the rows of one neighbourhood: a function of the set of its records."""
    distinct = _distinct(records)
    apis = _clusters([r for r in distinct if r.source == API])
    exports = _clusters([r for r in distinct if r.source == EXPORT])
    partners = _partners(list(apis), list(exports), window)
    rows = []
    for api, members in apis.items():
        export = partners.get(api)
        records_ = members + (exports.pop(export) if export else [])
        rows.append(Row(api.row_id, api.play.played_at, api, export, records_))
    taken = {(row.played_at, row.api.play.track_uri) for row in rows if row.api}
    for export, members in exports.items():
        # A skip that ends in the very millisecond of another play's row keeps its own row.
        played_at, track_uri = export.play.played_at, export.play.track_uri
        while (played_at, track_uri) in taken:
            played_at += BUMP
        taken.add((played_at, track_uri))
        rows.append(Row(export.row_id, played_at, None, export, members))
    return rows


def _neighbourhoods(
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
    apis = sorted((r for r in records if r.source == API), key=_instant)
    exports = sorted((r for r in records if r.source == EXPORT), key=_instant)
    yield from _neighbours(apis)
    yield from _neighbours(exports)
    instants = [_instant(record) for record in exports]
    for api in apis:
        at = _instant(api)
        start, stop = bisect_left(instants, at - window), bisect_right(instants, at + window)
        for export in exports[start:stop]:
            if is_same_track(api.play, export.play):
                yield api, export


def _neighbours(ordered: list[Record]) -> Iterator[tuple[Record, Record]]:
    """Pair records of one source and the same track that follow each other within a second.

    That is wider than rules 1 and 2, which `resolve` applies; it takes one look at each record.
    """
    latest: dict[object, Record] = {}
    crowded = {id(r) for pair in pairwise(ordered) if _apart(*pair) <= EXPORT_SHIFT for r in pair}
    for record in ordered if crowded else ():
        if id(record) not in crowded:
            continue
        for key in _track_keys(record.play):
            before = latest.get(key)
            if before is not None and _apart(before, record) <= EXPORT_SHIFT:
                yield before, record
            latest[key] = record


def _track_keys(play: Play) -> Iterator[object]:
    """Give what two plays of the same track have at least one of in common."""
    yield play.track_uri
    if play.isrc:
        yield "isrc", play.isrc
    names = _names(play)
    if all(names):
        yield names


def _is_repeat(earlier: Record, later: Record) -> bool:
    """Tell whether two records of one source, in order of time, are the same play."""
    apart = _apart(earlier, later)
    if earlier.source == API:
        is_close = apart < API_SHIFT
    else:
        is_close = not apart or (
            apart <= EXPORT_SHIFT
            and earlier.play.ms_played == later.play.ms_played
            and (later.play.ms_played or 0) > SHIFTED_MS
        )
    return is_close and is_same_track(earlier.play, later.play)


def is_same_track(one: Play, other: Play) -> bool:
    """Tell whether two plays are of one recording, as far as their own words say."""
    return one.track_uri == other.track_uri or not {*_track_keys(one)}.isdisjoint(
        _track_keys(other)
    )


def _names(play: Play) -> tuple[str, str]:
    return play.track_name.casefold(), play.artist_name.casefold()


def _instant(record: Record) -> datetime:
    return record.play.played_at


def _apart(earlier: Record, later: Record) -> timedelta:
    return _instant(later) - _instant(earlier)


def _distinct(records: Iterable[Record]) -> list[Record]:
    """Keep one record of each (source, instant, uri): the greatest, in the row that holds any."""
    kept: dict[tuple[object, ...], Record] = {}
    for record in records:
        key = (record.source, record.play.played_at, record.play.track_uri)
        known = kept.get(key)
        if known is None:
            kept[key] = Record(record.source, record.play, record.batch, record.row_id)
            continue
        if values_of(known.play) != values_of(record.play):
            known.play = max(known.play, record.play, key=_rank)
        known.row_id = known.row_id if known.row_id is not None else record.row_id
        if record.batch is None:
            known.batch = None
    return list(kept.values())


def _rank(play: Play) -> tuple[object, ...]:
    """Order the records of one key: the longest first of all, then by fixed rule."""
    longest = -1 if play.ms_played is None else play.ms_played
    return longest, *((value is not None, value) for value in values_of(play))


def _clusters(records: list[Record]) -> dict[Record, list[Record]]:
    """Gather the records of one source that are one play under the record that stands for it."""
    clusters: dict[Record, list[Record]] = {}
    for record in sorted(records, key=_precedence):
        for anchor in reversed(clusters):
            if _apart(anchor, record) > EXPORT_SHIFT:
                clusters[record] = [record]
                break
            if _is_repeat(anchor, record):
                clusters[anchor].append(record)
                break
        else:
            clusters[record] = [record]
    return clusters


def _precedence(record: Record) -> tuple[datetime, int, str]:
    return _instant(record), -(record.play.ms_played or 0), record.play.track_uri


def _partners(apis: list[Record], exports: list[Record], window: timedelta) -> dict[Record, Record]:
    """Match API and export records one to one, the nearest first."""
    candidates = [
        (abs(_instant(api) - _instant(export)), api, export)
        for api in apis
        for export in exports
        if abs(_instant(api) - _instant(export)) <= window
        and (export.play.ms_played or 0) >= MATCHED_MS
        and is_same_track(api.play, export.play)
    ]
    # A stable sort of what is in order already: ties fall to the earlier.
    candidates.sort(key=itemgetter(0))
    partners: dict[Record, Record] = {}
    matched: set[Record] = set()
    for _, api, export in candidates:
        if api not in partners and export not in matched:
            partners[api] = export
            matched.add(export)
    return partners


def _insert(record: Record, changes: Changes) -> None:
    """Write a record that has no neighbour: by far the most frequent case."""
    api = record if record.source == API else None
    export = record if record.source == EXPORT else None
    changes.rows.append(Row(None, record.play.played_at, api, export, [record]))
    changes.outcomes[record.batch or 0]["inserted"] += 1


def _regroup(
    group: list[Record], stored: dict[int, Row], changes: Changes, window: timedelta
) -> None:
    """Make the rows of one neighbourhood again, and write those that differ."""
    before = {r.row_id: stored[r.row_id] for r in group if r.row_id is not None}
    rows = resolve(group, window)
    _keep_ids(rows, set(before))
    kept = {row.id for row in rows if row.id in before and _is_same(row, before[row.id])}
    changes.rows += [row for row in rows if row.id not in kept]
    changes.deleted += [row_id for row_id in before if row_id not in kept]
    _count(group, rows, before, changes)


def _keep_ids(rows: list[Row], free: set[int]) -> None:
    """Give each row the id of a stored row whose records it took over, each id once."""
    for row in rows:
        heirs = [row.id, *(record.row_id for record in row.records)]
        row.id = next((row_id for row_id in heirs if row_id in free), None)
        free.discard(row.id)


def _is_same(row: Row, other: Row) -> bool:
    return row.played_at == other.played_at and _told(row) == _told(other)


def _told(row: Row) -> set[tuple[object, ...]]:
    return {(record.source, *values_of(record.play)) for record in row.records}


def _count(group: list[Record], rows: list[Row], before: dict[int, Row], changes: Changes) -> None:
    """Put each incoming record of a neighbourhood in exactly one bucket."""
    incoming = Counter(record.batch for record in group if record.batch is not None)
    inserted: Counter[int] = Counter()
    upgraded: Counter[int] = Counter()
    for row in rows:
        fresh = [r.batch for r in row.records if r.batch is not None]
        held = {r.row_id for r in row.records if r.row_id is not None}
        was_both = any(before[row_id].source == "both" for row_id in held)
        if fresh and not held:
            inserted[fresh.pop(0)] += 1
        if fresh and row.source == "both" and not was_both:
            upgraded[fresh.pop(0)] += 1
    for batch, plays in incoming.items():
        outcome = changes.outcomes[batch]
        outcome["inserted"] += inserted[batch]
        outcome["upgraded"] += upgraded[batch]
        outcome["duplicates"] += plays - inserted[batch] - upgraded[batch]
    first = next(iter(incoming))
    changes.outcomes[first]["regrouped"] += len(rows) - len(before) - inserted.total()
