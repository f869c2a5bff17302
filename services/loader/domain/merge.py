"""Computes which rows of listening_history new records add, replace or delete.

Pure, except that `merge` calls `near` and `mark_deleted`, which read from Postgres.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from services.loader.domain.identity import MATCH_WINDOW, resolve
from services.loader.domain.neighbourhoods import Near, find_neighbourhoods
from services.loader.domain.records import API, EXPORT, Record, Row, values_of

Outcome = Literal["inserted", "upgraded", "duplicates", "deleted", "regrouped"]

MarkDeleted = Callable[[Sequence[Row]], None]
"""Sets `deleted` of the rows that a deletion keeps out of the table."""


@dataclass(slots=True)
class Changes:
    """The rows that a merge writes and deletes, and the counted outcomes of each batch's plays.

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
    mark_deleted: MarkDeleted | None = None,
) -> Changes:
    """Compute which rows to write and to delete because of new records of one listener.

    Args:
        incoming: New records, in any order; they may repeat each other and stored records.
        near: Reads the stored rows near given records, including rows that a deletion keeps out.
        window: The most time between an API record and an export record of one play.
        mark_deleted: Sets `deleted` on rows that match a deletion of the listener; None if the
            listener has no deletions.
    """
    changes = Changes()
    stored, groups = find_neighbourhoods(incoming, near, window)
    # Groups of stored records alone stay as they are.
    merged = [(group, _rows(group, window)) for group in groups
              if any(record.batch is not None for record in group)]  # fmt: skip
    if mark_deleted:
        mark_deleted([row for _, rows in merged for row in rows])
    for group, rows in merged:
        if len(group) == 1:
            _insert(rows[0], changes)
        else:
            _regroup(group, rows, stored, changes)
    return changes


def _rows(group: list[Record], window: timedelta) -> list[Row]:
    if len(group) > 1:
        return resolve(group, window)
    # No other record can be the same play as this one: the usual case.
    record = group[0]
    api = record if record.source == API else None
    export = record if record.source == EXPORT else None
    return [Row(None, record.play.played_at, api, export, [record])]


def _insert(row: Row, changes: Changes) -> None:
    """Add the row of a new record that cannot be the same play as any other record."""
    changes.rows.append(row)
    changes.outcomes[row.records[0].batch or 0]["deleted" if row.deleted else "inserted"] += 1


def _regroup(
    group: list[Record], rows: list[Row], stored: dict[int, Row], changes: Changes
) -> None:
    """Add a group's rows to `changes`, except rows that are already stored with the same values.

    Stored rows that no longer exist or that are replaced are added to `changes.deleted`.

    Args:
        group: Stored and new records that may be the same plays, from `find_neighbourhoods`.
        rows: The rows of the group, from `resolve`.
        stored: The stored rows by id.
        changes: The result to add to.
    """
    before = {r.row_id: stored[r.row_id] for r in group if r.row_id is not None}
    _keep_ids(rows, set(before))
    kept = {row.id for row in rows if row.id in before and _is_same(row, before[row.id])}
    changes.rows += [row for row in rows if row.id not in kept]
    changes.deleted += [row_id for row_id in before if row_id not in kept]
    _count(group, rows, before, changes)


def _keep_ids(rows: list[Row], free: set[int]) -> None:
    """Give each row the id of a stored row that one of its records came from.

    Each id in `free` is used at most once; a row for which none is left gets None.
    """
    for row in rows:
        candidates = [row.id, *(record.row_id for record in row.records)]
        row.id = next((row_id for row_id in candidates if row_id in free), None)
        free.discard(row.id)


def _is_same(row: Row, other: Row) -> bool:
    # Deletions match the same values alike, so `deleted` is the same too.
    return row.played_at == other.played_at and _values(row) == _values(other)


def _values(row: Row) -> set[tuple[object, ...]]:
    return {(record.source, *values_of(record.play)) for record in row.records}


def _count(group: list[Record], rows: list[Row], before: dict[int, Row], changes: Changes) -> None:
    """Count each new record of a group as exactly one of inserted, upgraded, duplicate, deleted.

    `regrouped` counts the rows of listening_history that appear (or, if negative, disappear)
    because stored records are merged or split: the change in rows that `inserted` does not explain.
    """
    incoming = Counter(record.batch for record in group if record.batch is not None)
    deleted = _count_deleted(group, rows)
    inserted: Counter[int] = Counter()
    upgraded: Counter[int] = Counter()
    shown = [row for row in rows if not row.deleted]
    for row in shown:
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
        outcome["deleted"] += deleted[batch]
        outcome["duplicates"] += plays - inserted[batch] - upgraded[batch] - deleted[batch]
    first = next(iter(incoming))
    shown_before = sum(not row.deleted for row in before.values())
    changes.outcomes[first]["regrouped"] += len(shown) - shown_before - inserted.total()


def _count_deleted(group: list[Record], rows: list[Row]) -> Counter[int]:
    """Count, for each batch, the new records whose row matches a deletion."""
    kept_out = {_key(record) for row in rows if row.deleted for record in row.records}
    return Counter(
        record.batch for record in group if record.batch is not None and _key(record) in kept_out
    )


def _key(record: Record) -> tuple[object, ...]:
    return record.source, record.play.played_at, record.play.track_uri
