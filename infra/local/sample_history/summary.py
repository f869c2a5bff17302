"""Counts of an export's records, with which a loader's counts can be reconciled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter

from infra.local.sample_history.rows import SHORT_MS, Row

_BY_SECOND = ("distinct_plays", "same_second", "again", "again_whole")


@dataclass(frozen=True)
class HistorySummary:
    """Counts of an export's records; rows = music + podcasts + audiobooks + unnamed."""

    rows: int
    music: int
    """Records of a track."""
    podcasts: int
    audiobooks: int
    unnamed: int
    """Records without any uri or name."""
    distinct_plays: int
    """Distinct (ts, uri) among the records of tracks, which is the number of plays to load."""
    distinct_tracks: int
    same_second: int
    """Records that share their ts with a different item."""
    again: int
    """Records beyond the first of the same (ts, item)."""
    again_whole: int
    """The number of these that equal an earlier record in every field."""
    zero: int
    """Records with `ms_played` 0."""
    short: int
    """Records with `ms_played` below 30 s, including those with 0."""
    files: tuple[str, ...]
    first_ts: datetime
    last_ts: datetime


class Tally:
    """Accumulates a summary, file by file."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._tracks: set[int] = set()
        self._files: list[str] = []
        self._ends_s: list[int] = []

    def add(self, file: str, rows: Sequence[Row]) -> None:
        """Count the rows of one file, which are in order of time."""
        self._files.append(file)
        self._ends_s += (rows[0].ended_s, rows[-1].ended_s)
        counts = self._counts
        counts.update(row.kind for row in rows)
        counts["zero"] += sum(row.ms_played == 0 for row in rows)
        counts["short"] += sum(row.ms_played < SHORT_MS for row in rows)
        self._tracks.update(row.number for row in rows if row.kind == "track")
        for _, together in groupby(rows, key=attrgetter("ended_s")):
            self._add_second(list(together))

    def summary(self) -> HistorySummary:
        """Return the counts of all files so far."""
        counts = self._counts
        kinds = {"music": "track", "podcasts": "episode", "audiobooks": "audiobook"}
        return HistorySummary(
            **{field: counts[kind] for field, kind in kinds.items()},
            **{field: counts[field] for field in ("unnamed", "zero", "short", *_BY_SECOND)},
            rows=sum(counts[kind] for kind in (*kinds.values(), "unnamed")),
            distinct_tracks=len(self._tracks),
            files=tuple(self._files),
            first_ts=datetime.fromtimestamp(min(self._ends_s), UTC),
            last_ts=datetime.fromtimestamp(max(self._ends_s), UTC),
        )

    def _add_second(self, rows: list[Row]) -> None:
        """Count the rows of one second."""
        counts = self._counts
        items = {(row.kind, row.number) for row in rows}
        counts["distinct_plays"] += sum(kind == "track" for kind, _ in items)
        counts["same_second"] += len(rows) if len(items) > 1 else 0
        counts["again"] += len(rows) - len(items)
        counts["again_whole"] += len(rows) - len(set(rows))
