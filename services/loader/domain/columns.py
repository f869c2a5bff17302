"""Rows as the text that COPY reads, pure.

Source: https://www.postgresql.org/docs/17/sql-copy.html, "Text Format".
"""

from collections.abc import Iterable, Sequence

from services.loader.domain.records import FIELDS, PLAYED_AT, Row, values_of

HISTORY = (*FIELDS, "listener", "source", "history_ts")
"""The columns of listening_history that the loader writes."""

MERGED = ("play_id", "source", *FIELDS)
"""The columns of merged_record."""

# NUL cannot occur in a message's text, so it can stand for NULL until all is escaped.
_NULL = "\0"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def history_values(row: Row, listener: str) -> list[object]:
    """Give the values of `HISTORY` for one row."""
    values = row.values()
    history_ts: object = row.export.play.played_at if row.export else None
    if history_ts is row.played_at:
        # As text at once: to write an instant takes a third of the time that its row takes.
        history_ts = values[PLAYED_AT] = str(history_ts)
    return [*values, listener, row.source, history_ts]


def merged_values(row: Row) -> list[list[object]]:
    """Give the values of `MERGED` for each record of a row, none where there is but one."""
    if len(row.records) == 1:
        return []
    return [[row.id, record.source, *values_of(record.play)] for record in row.records]


def copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Write rows in the text format of COPY."""
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
    """Tell whether no value needs an escape: one look at the whole text, not one per value."""
    return (
        "\\" not in text
        and "\r" not in text
        and text.count("\n") == len(lines) - 1
        and text.count("\t") == sum(map(len, lines)) - len(lines)
    )
