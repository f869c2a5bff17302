"""Formats rows as the text that Postgres's COPY reads; pure.

Source: https://www.postgresql.org/docs/17/sql-copy.html, "Text Format".
"""

from collections.abc import Iterable, Sequence

from services.loader.domain.records import FIELDS, PLAYED_AT, Row, values_of

HISTORY = (*FIELDS, "listener", "source", "history_ts")
"""The columns of listening_history that the loader writes, except `id`."""

MERGED = ("play_id", "source", *FIELDS)
"""The columns of merged_record."""

# A message's texts hold no NUL character, so it can stand for NULL until all texts are escaped.
_NULL = "\0"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def history_values(row: Row, listener: str) -> list[object]:
    """Return the values of one row in the order of the columns `HISTORY`."""
    values = row.values()
    history_ts: object = row.export.play.played_at if row.export else None
    if history_ts is row.played_at:
        # Formatted once, because formatting an instant takes a quarter of a row's time.
        history_ts = values[PLAYED_AT] = str(history_ts)
    return [*values, listener, row.source, history_ts]


def merged_values(row: Row) -> list[list[object]]:
    """Return the values of each record of a row, in the order of the columns `MERGED`.

    A row with a single record returns none, because merged_record stores only merged records.
    """
    if len(row.records) == 1:
        return []
    return [[row.id, record.source, *values_of(record.play)] for record in row.records]


def copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Format rows for COPY: one line per row, a tab between values, NULL as backslash N; UTF-8."""
    lines = [
        [_NULL if value is None else value if value.__class__ is str else str(value)
         for value in row]
        for row in rows
    ]  # fmt: skip
    text = "\n".join(map("\t".join, lines))
    if not _is_plain(text, lines):
        text = "\n".join("\t".join(value.translate(_ESCAPES) for value in line) for line in lines)
    return text.replace(_NULL, "\\N").encode() + b"\n"


def _is_plain(text: str, lines: list[list[str]]) -> bool:
    """True if no value needs an escape. Searching the whole text once is faster than each value."""
    return (
        "\\" not in text
        and "\r" not in text
        and text.count("\n") == len(lines) - 1
        and text.count("\t") == sum(map(len, lines)) - len(lines)
    )
