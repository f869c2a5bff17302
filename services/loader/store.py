"""The rows of listening history in Postgres: what a merge reads, and what it writes."""

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from services.loader.columns import HISTORY, MERGED, copy_text, history_values, merged_values
from services.loader.identity import MATCH_WINDOW
from services.loader.merge import Changes, merge
from services.loader.records import API, EXPORT, FIELDS, PLAYED_AT, Record, Row
from services.loader.statements import STATEMENTS
from shared.models import EnrichedBatch, Play, PollReport, TrackFeatures, UploadReport
from shared.postgres import Database

_FEATURES = TypeAdapter(Sequence[TrackFeatures])
_SHOWN = ", ".join(FIELDS)
_STORED_PLAYS = STATEMENTS["stored_plays"].replace("{fields}", _SHOWN)
_MERGED_RECORDS = STATEMENTS["merged_records"].replace("{fields}", _SHOWN)


REMEMBERED_TRACKS = 200_000
"""Tracks whose features this connection has loaded; beyond that it starts to forget."""


class Store:
    """Loads batches through one connection."""

    def __init__(self, database: Database, window: timedelta = MATCH_WINDOW) -> None:
        self._database = database
        self._window = window
        # Every batch brings the features of its tracks, most of which came with one before. A
        # database that loses them, by a restore, breaks the connection and this memory with it.
        self._fetched_at: dict[str, datetime] = {}

    def load(self, batches: Sequence[EnrichedBatch]) -> None:
        """Load batches in one transaction: all of them, or none.

        Raises:
            DatabaseRefusalError: Postgres refuses a value in one of them.
            DatabaseAwayError: Postgres cannot serve now.
        """
        features = self._unloaded(batches)
        with self._database.transaction():
            self._run("plan_by_index")
            numbered = list(enumerate(batches))
            # Always in the order of names: two loaders that lock in two orders would deadlock.
            for listener in sorted({batch.listener for batch in batches if batch.listener}):
                self._merge(listener, [(n, b) for n, b in numbered if b.listener == listener])
            self._upsert_features(features)
        self._remember(features)

    def _merge(self, listener: str, batches: list[tuple[int, EnrichedBatch]]) -> None:
        self._run("lock_listener", listener=listener)
        incoming = [Record(_source(batch), play, number)
                    for number, batch in batches for play in batch.plays]  # fmt: skip
        changes = merge(incoming, partial(self._near, listener), self._window)
        self._write(listener, changes)
        self._record(batches, changes)

    def _near(self, listener: str, records: Sequence[Record], known: Container[int]) -> list[Row]:
        if not records:
            return []
        found = self._run(
            "near_plays",
            listener=listener,
            window=self._window,
            exports=_instants(records, EXPORT),
            apis=_instants(records, API),
        )
        ids = [row_id for (row_id,) in found if row_id not in known]
        if not ids:
            return []
        behind = self._records_behind(ids)
        rows = self._database.run(_STORED_PLAYS, ids=ids)
        return [_stored_row(row, behind.get(row[0])) for row in rows]

    def _records_behind(self, ids: list[int]) -> dict[int, list[Record]]:
        behind: dict[int, list[Record]] = defaultdict(list)
        for play_id, source, *values in self._database.run(_MERGED_RECORDS, ids=ids):
            behind[play_id].append(Record(source, _play(values), row_id=play_id))
        return behind

    def _write(self, listener: str, changes: Changes) -> None:
        if changes.deleted:
            self._run("delete_plays", ids=changes.deleted)
        self._number([row for row in changes.rows if row.id is None and len(row.records) > 1])
        fresh = [history_values(row, listener) for row in changes.rows if row.id is None]
        known = [[*history_values(row, listener), row.id]
                 for row in changes.rows if row.id is not None]  # fmt: skip
        merged = [values for row in changes.rows for values in merged_values(row)]
        self._copy("listening_history", HISTORY, fresh)
        self._copy("listening_history", (*HISTORY, "id"), known)
        self._copy("merged_record", MERGED, merged)

    def _number(self, rows: list[Row]) -> None:
        """Give new rows their id now, because records are to point to them."""
        if rows:
            for row, (new_id,) in zip(rows, self._run("new_ids", count=len(rows)), strict=True):
                row.id = new_id

    def _record(self, batches: list[tuple[int, EnrichedBatch]], changes: Changes) -> None:
        counts = [_counts(batch, changes, number) for number, batch in batches]
        self._run("record_batches", batches=json.dumps(counts))
        for _, batch in batches:
            where = {"origin": batch.origin, "listener": batch.listener}
            match batch.report:
                case PollReport(gap=gap) as report:
                    self._run("record_poll", **where, report=report.model_dump_json())
                    if gap:
                        self._run("record_gap", **where, gap=gap.model_dump_json())
                case UploadReport() as report:
                    self._run("record_import", **where, report=report.model_dump_json())

    def _unloaded(self, batches: Sequence[EnrichedBatch]) -> list[TrackFeatures]:
        """Give the newest features of each track that this connection has not loaded yet.

        In the order of uris: two loaders that lock rows in two orders would deadlock.
        """
        newest: dict[str, TrackFeatures] = {}
        for features in (f for batch in batches for f in batch.features):
            known = newest.get(features.track_uri)
            known_at = known.fetched_at if known else self._fetched_at.get(features.track_uri)
            if known_at is None or known_at < features.fetched_at:
                newest[features.track_uri] = features
        return [newest[track_uri] for track_uri in sorted(newest)]

    def _upsert_features(self, features: Sequence[TrackFeatures]) -> None:
        if features:
            self._run("upsert_features", features=_FEATURES.dump_json(features).decode())

    def _remember(self, features: Sequence[TrackFeatures]) -> None:
        if len(self._fetched_at) > REMEMBERED_TRACKS:
            self._fetched_at.clear()
        self._fetched_at.update((f.track_uri, f.fetched_at) for f in features)

    def _copy(self, table: str, columns: Sequence[str], rows: list[list[object]]) -> None:
        if rows:
            self._database.copy_in(table, columns, copy_text(rows))

    def _run(self, name: str, **parameters: Any) -> list[Any]:
        return self._database.run(STATEMENTS[name], **parameters)


def _source(batch: EnrichedBatch) -> Any:
    return batch.source


def _instants(records: Iterable[Record], source: str) -> str:
    return ",".join({str(record.play.played_at) for record in records if record.source == source})


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


def _counts(batch: EnrichedBatch, changes: Changes, number: int) -> dict[str, object]:
    outcome = changes.outcomes[number]
    return {
        "origin": batch.origin,
        "number": batch.number,
        "listener": batch.listener,
        "plays": len(batch.plays),
        "inserted": outcome["inserted"],
        "upgraded": outcome["upgraded"],
        "duplicates": outcome["duplicates"],
        "regrouped": outcome["regrouped"],
    }
