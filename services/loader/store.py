"""Loads batches into Postgres: reads the stored rows that a merge needs, and writes its result."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from services.loader.deletions import has_deletions, mark_deleted
from services.loader.domain.copy_format import (
    HISTORY,
    MERGED,
    copy_text,
    history_values,
    merged_values,
)
from services.loader.domain.identity import MATCH_WINDOW
from services.loader.domain.merge import Changes, MarkDeleted, merge
from services.loader.domain.neighbourhoods import Near, Probe
from services.loader.domain.records import API, EXPORT, FIELDS, PLAYED_AT, Record, Row
from services.loader.features import FeatureStore
from services.loader.ledger import record, record_polls
from services.loader.statements import STATEMENTS, run
from shared.errors import DatabaseRefusalError
from shared.models import EnrichedBatch, Play, Source, iso
from shared.postgres import Database

_SHOWN = ", ".join(FIELDS)
_STORED_PLAYS = STATEMENTS["stored_plays"].replace("{fields}", _SHOWN)
_MERGED_RECORDS = STATEMENTS["merged_records"].replace("{fields}", _SHOWN)
_DELETED_PLAYS = _STORED_PLAYS.replace("listening_history", "deleted_play")
_DELETED_RECORDS = _MERGED_RECORDS.replace("merged_record", "deleted_record")

PROBED_TOGETHER = timedelta(minutes=10)
"""Plays up to this far apart share one index scan for stored rows near them. Plays of a session are
3 to 4 minutes apart, so a session takes one scan, which reads few rows that it does not need."""

MOST_NEAR_RECORDS = 20_000
"""Most stored records that one load reads to merge its plays with them.

It bounds memory, and the lock on the listener to one or two seconds. Real histories stay
far below: to reach it, a track of 30 s, the shortest that the API shows, must be played 10,000
times in a row (3.5 days) and be reported by both sources. Usual loads read some hundreds.
"""

Merged = tuple[str, list[tuple[int, EnrichedBatch]], Changes]
"""A listener, their batches with their numbers in the load, and what to change in the table."""


class Store:
    """Loads batches through one connection."""

    def __init__(self, database: Database, window: timedelta = MATCH_WINDOW) -> None:
        self.database = database
        self._window = window
        self._features = FeatureStore(database)

    def load(self, batches: Sequence[EnrichedBatch]) -> None:
        """Load batches in one transaction: all of them, or none.

        Raises:
            DatabaseRefusalError: Postgres refuses a value in one of them, or more than
                MOST_NEAR_RECORDS stored records lie near their plays in time.
            DatabaseAwayError: Postgres is not available.
        """
        features = self._features.unloaded(batches)
        with self.database.transaction():
            self._run("plan_by_index")
            merged = list(self._merge(batches))
            self._run("lock_writing")
            waiting: set[str] = set()
            for listener, theirs, changes in merged:
                known_polls = record_polls(self.database, (batch for _, batch in theirs))
                self._write(listener, changes)
                record(self.database, listener, theirs, changes, known_polls)
                waiting |= changes.tracks_without_popularity()
            self._features.load(features, waiting)
        self._features.remember(features)

    def _merge(self, batches: Sequence[EnrichedBatch]) -> Iterator[Merged]:
        """Lock each listener until the transaction ends, and compute the changes to their rows."""
        numbered = list(enumerate(batches))
        # Always in the order of names: two loaders that lock in different orders would deadlock.
        for listener in sorted({batch.listener for batch in batches if batch.listener}):
            self._run("lock_listener", listener=listener)
            theirs = [(number, batch) for number, batch in numbered if batch.listener == listener]
            incoming = [Record(_source(batch), play, number)
                        for number, batch in theirs for play in batch.plays]  # fmt: skip
            deletes = has_deletions(self.database, listener)
            near: Near = partial(self._near, listener, deletes)
            mark: MarkDeleted | None = None
            if deletes:
                mark = partial(mark_deleted, self.database, listener)
            yield listener, theirs, merge(incoming, near, self._window, mark)

    def _near(
        self,
        listener: str,
        deletes: bool,  # noqa: FBT001 - for `partial`
        probes: Sequence[Probe],
        known: Mapping[int, Row],
    ) -> list[Row]:
        spans = {"exports": _spans(probes, EXPORT), "apis": _spans(probes, API)}
        limits = {"listener": listener, "window": self._window, "most": MOST_NEAR_RECORDS + 1}
        found = self._run("near_plays", **limits, **spans)
        if deletes:
            found += self._run("near_deleted_plays", **limits, **spans)
        behind = {row_id: records for row_id, records in found if row_id not in known}
        near = sum(behind.values()) + sum(len(row.records) for row in known.values())
        if near > MOST_NEAR_RECORDS:
            raise self._crowd(listener, [*known, *behind])
        if not behind:
            return []
        rows = self._stored(list(behind), _STORED_PLAYS, _MERGED_RECORDS)
        if len(rows) < len(behind):
            deleted = self._stored(list(behind), _DELETED_PLAYS, _DELETED_RECORDS)
            rows += [replace(row, deleted=True) for row in deleted]
        return rows

    def _crowd(self, listener: str, ids: list[int]) -> DatabaseRefusalError:
        ((track_uri, played_at),) = self._run("middle_play", ids=ids, half=len(ids) // 2)
        return DatabaseRefusalError(
            f"more than {MOST_NEAR_RECORDS:,} stored records lie near these plays, around "
            f"{track_uri} of listener {listener} at {iso(played_at)}: comparing them all would "
            "block the listener's other plays. Look there for made-up plays (docs/operate.md)"
        )

    def _stored(self, ids: list[int], plays: str, records: str) -> list[Row]:
        behind: dict[int, list[Record]] = defaultdict(list)
        for play_id, source, *values in self.database.run(records, ids=ids):
            behind[play_id].append(Record(source, _play(values), row_id=play_id))
        rows = self.database.run(plays, ids=ids)
        return [_stored_row(row, behind.get(row[0])) for row in rows]

    def _write(self, listener: str, changes: Changes) -> None:
        if changes.deleted:
            self._run("delete_plays", ids=changes.deleted)
        self._number([row for row in changes.rows
                      if row.id is None and (row.deleted or len(row.records) > 1)])  # fmt: skip
        shown = [row for row in changes.rows if not row.deleted]
        self._copy_rows(shown, listener, "listening_history", "merged_record")
        kept_out = [row for row in changes.rows if row.deleted]
        self._copy_rows(kept_out, listener, "deleted_play", "deleted_record")

    def _copy_rows(self, rows: list[Row], listener: str, plays: str, records: str) -> None:
        fresh = [history_values(row, listener) for row in rows if row.id is None]
        known = [[*history_values(row, listener), row.id]
                 for row in rows if row.id is not None]  # fmt: skip
        merged = [values for row in rows for values in merged_values(row)]
        self._copy(plays, HISTORY, fresh)
        self._copy(plays, (*HISTORY, "id"), known)
        self._copy(records, MERGED, merged)

    def _number(self, rows: list[Row]) -> None:
        """Assign ids to new rows before they are written.

        A merged record refers to the id of its row, and table deleted_play generates no ids.
        """
        if rows:
            for row, (new_id,) in zip(rows, self._run("new_ids", count=len(rows)), strict=True):
                row.id = new_id

    def _copy(self, table: str, columns: Sequence[str], rows: list[list[object]]) -> None:
        if rows:
            self.database.copy_in(table, columns, copy_text(rows))

    def _run(self, name: str, **parameters: Any) -> list[Any]:
        return run(self.database, name, **parameters)


def _source(batch: EnrichedBatch) -> Any:
    # The model allows None only in a batch without plays.
    return batch.source


def _spans(probes: Iterable[Probe], source: Source) -> str:
    """Return a Postgres multirange of the times to search around the records of one source."""
    spans: list[tuple[datetime, datetime]] = []
    for start, end in sorted(_span(probe) for probe in probes if probe[0].source == source):
        if spans and start - spans[-1][1] <= PROBED_TOGETHER:
            spans[-1] = spans[-1][0], max(spans[-1][1], end)
        else:
            spans.append((start, end))
    return f"{{{','.join(f'[{start},{end}]' for start, end in spans)}}}"


def _span(probe: Probe) -> tuple[datetime, datetime]:
    record, margin = probe
    return record.play.played_at - margin, record.play.played_at + margin


def _play(values: Sequence[Any]) -> Play:
    return Play.model_validate(dict(zip(FIELDS, values, strict=True)))


def _stored_row(row: list[Any], records: list[Record] | None) -> Row:
    row_id, source, played_at, history_ts, *values = row
    if records is None:
        if source == EXPORT:
            values[PLAYED_AT] = history_ts
        records = [Record(source, _play(values), row_id=row_id)]
    by_source = {record.source: record for record in records}
    return Row(row_id, played_at, by_source.get(API), by_source.get(EXPORT), records)
