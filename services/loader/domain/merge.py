"""Computes what new records change in the table; pure except for `near`.

The result holds the rows to write, the rows to delete, and counts.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from services.loader.domain.identity import MATCH_WINDOW, resolve
from services.loader.domain.neighbourhoods import Near, find_neighbourhoods
from services.loader.domain.records import API, EXPORT, Record, Row, values_of

Outcome = Literal["inserted", "upgraded", "duplicates", "regrouped"]


@dataclass(slots=True)
class Changes:
    """What a merge changes in the table, and the outcome of each batch's plays.

    `rows` holds the rows to write, `deleted` the ids of the rows to delete first. A row that
    replaces a stored one has the id of that row, so its id is in both.
    """

    rows: list[Row] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    outcomes: dict[int, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))

    def tracks_without_popularity(self) -> set[str]:
        """Return the tracks of the records to write whose popularity is unknown."""
        return {
            record.play.track_uri
            for row in self.rows
            for record in row.records
            if record.play.popularity is None
        }


def merge(
    incoming: Sequence[Record],
    near: Near,
    window: timedelta = MATCH_WINDOW,
) -> Changes:
    """Compute what new records of one listener change.

    Args:
        incoming: New records, in any order; they may repeat each other and stored records.
        near: Finds stored rows.
        window: The most time between an API record and an export record of one play.
    """
    changes = Changes()
    stored, groups = find_neighbourhoods(incoming, near, window)
    for group in groups:
        if len(group) == 1 and group[0].row_id is None:
            _insert(group[0], changes)
        elif any(record.batch is not None for record in group):
            _regroup(group, stored, changes, window)
    return changes


def _insert(record: Record, changes: Changes) -> None:
    """Add a row for a record that no other record can be the same play as: the usual case."""
    api = record if record.source == API else None
    export = record if record.source == EXPORT else None
    changes.rows.append(Row(None, record.play.played_at, api, export, [record]))
    changes.outcomes[record.batch or 0]["inserted"] += 1


def _regroup(
    group: list[Record], stored: dict[int, Row], changes: Changes, window: timedelta
) -> None:
    """Compute again the rows of records that may be the same plays; add the changed ones.

    `group` holds stored and new records, as `find_neighbourhoods` returns them.
    """
    before = {r.row_id: stored[r.row_id] for r in group if r.row_id is not None}
    rows = resolve(group, window)
    _keep_ids(rows, set(before))
    kept = {row.id for row in rows if row.id in before and _is_same(row, before[row.id])}
    changes.rows += [row for row in rows if row.id not in kept]
    changes.deleted += [row_id for row_id in before if row_id not in kept]
    _count(group, rows, before, changes)


def _keep_ids(rows: list[Row], free: set[int]) -> None:
    """Give each row the id of a stored row that one of its records came from, each id once."""
    for row in rows:
        candidates = [row.id, *(record.row_id for record in row.records)]
        row.id = next((row_id for row_id in candidates if row_id in free), None)
        free.discard(row.id)


def _is_same(row: Row, other: Row) -> bool:
    return row.played_at == other.played_at and _values(row) == _values(other)


def _values(row: Row) -> set[tuple[object, ...]]:
    return {(record.source, *values_of(record.play)) for record in row.records}


def _count(group: list[Record], rows: list[Row], before: dict[int, Row], changes: Changes) -> None:
    """Count each new record of a group as exactly one of inserted, upgraded and duplicate."""
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
