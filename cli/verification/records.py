"""Sorts the records of the archive by listener and time, in a temporary SQLite file."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from pydantic_core import to_json

from services.loader.domain.records import Record
from shared.models import Play, Source

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CACHE_KIB = 32 << 10


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - EPOCH) // MICROSECOND


class Records:
    """The records of the archive, in a file to save memory. Use it as a context manager."""

    def __enter__(self) -> Self:
        # The folder is open to its owner alone.
        self._folder = TemporaryDirectory(prefix="plays-verify-")
        self._file = sqlite3.connect(Path(self._folder.name) / "records", isolation_level=None)
        for setting in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KIB}"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.execute(
            "CREATE TABLE record (listener TEXT, ended_at INTEGER, source TEXT, play BLOB)"
        )
        self._file.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._folder.cleanup()

    def sink(self, listener: str, source: Source, start: datetime | None) -> "Sink":
        """Return a sink for plays of one listener and source; it drops plays before `start`."""
        return Sink(self._file, listener, source, start)

    def of(self, listener: str) -> Iterator[Record]:
        """Return the records of a listener in order of time."""
        rows = self._file.execute(
            "SELECT source, play FROM record WHERE listener = ? ORDER BY ended_at", (listener,)
        )
        for source, play in rows:
            # A batch makes it a new record, which the merge counts.
            yield Record(source, Play.model_validate_json(play), batch=0)


class Sink:
    """Stores the plays of one listener and source in the SQLite file."""

    def __init__(
        self, file: sqlite3.Connection, listener: str, source: Source, start: datetime | None
    ) -> None:
        self._file = file
        self._of = listener, source
        self._start = start
        self.count = 0

    def add(self, plays: Sequence[Play | Mapping[str, Any]]) -> None:
        """Add plays; a play is a `Play`, or a dict of its fields."""
        self.count += len(plays)
        listener, source = self._of
        ended = ((_ended_at(play), play) for play in plays)
        self._file.executemany(
            "INSERT INTO record VALUES (?, ?, ?, ?)",
            (
                (listener, microseconds(at), source, to_json(play))
                for at, play in ended
                if self._start is None or at >= self._start
            ),
        )


def _ended_at(play: Play | Mapping[str, Any]) -> datetime:
    return play.played_at if isinstance(play, Play) else play["played_at"]
