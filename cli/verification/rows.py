"""The rows that should be in Postgres, and the rows that are, in the same order.

A row is identified by the end of its play and its track. Its other values are compared by a digest,
so that pages of Postgres stay small. Popularity is compared separately: features may raise it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from cli.statements import STATEMENTS
from cli.verification.records import microseconds
from services.loader.domain.identity import EXPORT_SHIFT
from services.loader.domain.merge import merge
from services.loader.domain.records import FIELDS, PLAYED_AT, POPULARITY, Record, Row, instant_of
from shared.errors import QueryError
from shared.queries import Reader

MERGED_TOGETHER = 4_000
"""Records that are merged at once, up to the next pause that no rule can bridge."""
MOST_TOGETHER = 20_000
"""A history without such a pause is cut here, where two records are more than a second apart."""
PAGE_ROWS = 20_000
"""Rows of a page: some 3 MB. A page of the function `queries` has 5 MB at most."""
LEAST_PAGE_ROWS = 100

TRACK_URI = FIELDS.index("track_uri")
COMPARED = tuple(name for name in FIELDS if name not in ("track_uri", "played_at", "popularity"))
_COMPARED = [FIELDS.index(name) for name in COMPARED]
_NULL, _END = "\x1e", "\x1f"

Key = tuple[int, str]
"""The end of the play in microseconds since 1970, and the track."""


class Expected(NamedTuple):
    """A row that should be in Postgres, as computed from the archive."""

    key: Key
    digest: str
    merged: str | None
    """The digest of its records, if it stands for several."""
    popularity: int | None
    row: Row


class Stored(NamedTuple):
    """A row that is in Postgres."""

    key: Key
    digest: str
    merged: str | None
    popularity: int | None
    id: int
    loaded_at: int
    """Microseconds since 1970."""


def expected_rows(records: Iterable[Record], window: timedelta) -> Iterator[Expected]:
    """Merge records as the loader does; return the rows in order.

    Args:
        records: The records of one listener, in order of time.
        window: The loader's match window.
    """
    for chunk in _chunks(records, window):
        rows = merge(chunk, lambda *_: (), window).rows
        yield from sorted(map(_expected, rows), key=lambda each: each.key)


def stored_rows(database: Reader, listener: str, start: datetime | None) -> Iterator[Stored]:
    """Read the rows of a listener since `start` from Postgres, page by page, in order.

    Plays that a deletion keeps out are included, because the archive has them too.
    """
    after, most = (-1 if start is None else microseconds(start) - 1, "\uffff"), PAGE_ROWS
    statement = STATEMENTS["verify_rows"].format(
        history=_sql_digest("h", ("source", _SQL_MICROSECONDS.format("h.history_ts"))),
        merged=_sql_digest("r", ("source", "track_uri", _SQL_MICROSECONDS.format("r.played_at"))),
    )
    while True:
        try:
            page = database.run(
                statement, listener=listener, at=after[0], track=after[1], most=most
            )
        except QueryError:
            # Very long names; any other fault is raised again by the smallest page.
            if most <= LEAST_PAGE_ROWS:
                raise
            most //= 2
            continue
        for id_, at, track, loaded_at, popularity, digest, merged in page:
            yield Stored((at, track), digest, merged, popularity, id_, loaded_at)
        if len(page) < most:
            return
        after = page[-1][1], page[-1][2]


def differing_fields(database: Reader, expected: Expected, stored: Stored) -> list[str]:
    """Return the names of the fields in which a stored row differs."""
    statement = STATEMENTS["verify_row"].format(fields=", ".join(COMPARED))
    ((source, history_ts, *values),) = database.run(statement, id=stored.id)
    row = expected.row
    ours = [row.source, row.export and row.export.play.played_at, *_values(row)]
    names = ("source", "history_ts", *COMPARED)
    fields = [
        name
        for name, one, other in zip(names, ours, (source, history_ts, *values), strict=True)
        if one != other
    ]
    if is_less_popular(expected, stored):
        fields.append("popularity")
    return fields or ["merged_record"]


def is_less_popular(expected: Expected, stored: Stored) -> bool:
    """True if the stored popularity is missing, or lower than Spotify's; it may be higher."""
    if expected.popularity is None:
        return False
    return stored.popularity is None or stored.popularity < expected.popularity


def _chunks(records: Iterable[Record], window: timedelta) -> Iterator[list[Record]]:
    """Cut records at pauses that are too long for one play to have records on both sides."""
    pause = max(window, EXPORT_SHIFT)
    chunk: list[Record] = []
    for record in records:
        if len(chunk) >= MERGED_TOGETHER:
            distance = instant_of(record) - instant_of(chunk[-1])
            if distance > pause or (len(chunk) >= MOST_TOGETHER and distance > EXPORT_SHIFT):
                yield chunk
                chunk = []
        chunk.append(record)
    if chunk:
        yield chunk


def _expected(row: Row) -> Expected:
    values = row.values()
    history_ts = row.export and microseconds(row.export.play.played_at)
    merged = None
    if len(row.records) > 1:
        merged = _digest("".join(sorted(map(_record_digest, row.records))))
    return Expected(
        (microseconds(row.played_at), str(values[TRACK_URI])),
        _digest(_text([row.source, history_ts, *(values[place] for place in _COMPARED)])),
        merged,
        values[POPULARITY],  # type: ignore[arg-type]  # the fields of a Play have many types
        row,
    )


def _values(row: Row) -> list[object]:
    values = row.values()
    return [values[place] for place in _COMPARED]


def _record_digest(record: Record) -> str:
    values = [getattr(record.play, name) for name in FIELDS]
    head = [record.source, values[TRACK_URI], microseconds(values[PLAYED_AT])]
    return _digest(_text([*head, *(values[place] for place in _COMPARED)]))


def _text(values: Iterable[object]) -> str:
    texts = [
        value if value.__class__ is str else _NULL if value is None else _plain(value)
        for value in values
    ]
    return _END.join([*texts, ""])


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _digest(text: str) -> str:
    # As Postgres computes it; it protects nothing.
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_SQL_MICROSECONDS = "(extract(epoch FROM {}) * 1000000)::bigint"


def _sql_digest(table: str, head: Iterable[str]) -> str:
    """Return SQL that computes `_digest(_text(…))`; of at most 100 values, a limit of `concat`."""
    values = [name if "(" in name else f"{table}.{name}" for name in (*head, *COMPARED)]
    joined = ", ".join(f"coalesce(({value})::text, chr(30)), chr(31)" for value in values)
    return f"md5(concat({joined}))"
