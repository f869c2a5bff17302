"""Rows in memory that records are merged into, and records to merge."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count

from services.loader.domain.identity import MATCH_WINDOW
from services.loader.domain.merge import merge
from services.loader.domain.neighbourhoods import Probe
from services.loader.domain.records import API, EXPORT, Record, Row
from shared.models import Play, Source

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Table:
    """Rows in memory with the same contract as those in Postgres."""

    def __init__(self, is_deleted: Callable[[Row], bool] | None = None) -> None:
        self.is_deleted = is_deleted
        self.rows: dict[int, Row] = {}
        self.outcomes: Counter[str] = Counter()
        self.looks = 0
        self._ids = count(1)

    def load(
        self, records: Sequence[tuple[Source, Play]], window: timedelta = MATCH_WINDOW
    ) -> Counter[str]:
        """Merge records as one batch; return the outcome counts."""
        incoming = [Record(source, play, 0) for source, play in records]
        changes = merge(incoming, self._near, window, self._mark if self.is_deleted else None)
        for row_id in changes.deleted:
            del self.rows[row_id]
        for row in changes.rows:
            row_id = row.id if row.id is not None else next(self._ids)
            self.rows[row_id] = _stored(row, row_id)
        outcome = {name: n for name, n in changes.outcomes[0].items() if n}
        self.outcomes.update(outcome)
        return Counter(outcome)

    def _mark(self, rows: Sequence[Row]) -> None:
        for row in rows:
            row.deleted = bool(self.is_deleted and self.is_deleted(row))

    def delete(self, is_deleted: Callable[[Row], bool] | None) -> None:
        """Replace the deletions by others, or undo them all."""
        self.is_deleted = is_deleted
        before = self.shown_count
        self._mark(list(self.rows.values()))
        self.outcomes["regrouped"] += self.shown_count - before

    @property
    def shown_count(self) -> int:
        return sum(not row.deleted for row in self.rows.values())

    def _near(self, probes: Sequence[Probe], known: Mapping[int, Row]) -> list[Row]:
        self.looks += 1
        return [row for row_id, row in self.rows.items() if row_id not in known]

    def shown(self) -> list[tuple[object, ...]]:
        """What the table shows, without ids and load times."""
        return shown(row for row in self.rows.values() if not row.deleted)


class NarrowTable(Table):
    """Rows in memory that are found only within the reach of a probe, as in Postgres."""

    def _near(self, probes: Sequence[Probe], known: Mapping[int, Row]) -> list[Row]:
        found = super()._near(probes, known)
        return [row for row in found if any(_reaches(*probe, row) for probe in probes)]


def _reaches(record: Record, margin: timedelta, row: Row) -> bool:
    reach = margin + timedelta(seconds=3)
    if record.source == API:
        reach += 2 * MATCH_WINDOW
    elif row.api:
        reach += MATCH_WINDOW
    return abs(row.played_at - record.play.played_at) <= reach


def shown(rows) -> list[tuple[object, ...]]:
    """What rows show, without ids and load times."""
    return sorted(((row.source, *row.values(), _history_ts(row)) for row in rows), key=repr)


def _stored(row: Row, row_id: int) -> Row:
    copies = {id(r): Record(r.source, r.play, None, row_id) for r in row.records}
    api = copies[id(row.api)] if row.api else None
    export = copies[id(row.export)] if row.export else None
    return Row(row_id, row.played_at, api, export, list(copies.values()), row.deleted)


def _history_ts(row: Row) -> datetime | None:
    return row.export.play.played_at if row.export else None


def a_play(after_s: float = 0, track: str = "a", **fields) -> Play:
    fields = {"track_name": f"Name {track}", "artist_name": "The Example", **fields}
    return Play(
        track_uri=f"spotify:track:{track}",
        played_at=NOON + timedelta(milliseconds=round(after_s * 1000)),
        **fields,
    )


def reported(after_s: float = 0, track: str = "a", **fields) -> tuple[Source, Play]:
    return API, a_play(after_s, track, **fields)


def exported(
    after_s: int = 0, track: str = "a", ms: int = 180_000, **fields
) -> tuple[Source, Play]:
    return EXPORT, a_play(after_s, track, ms_played=ms, **fields)
