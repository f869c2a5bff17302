"""Format the rows of a query: a table for people, JSON and CSV for programs."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rich.cells import cell_len

from cli.errors import CommandError
from cli.output import printable
from shared.queries import Result
from shared.query_texts import value_of

NULL = "NULL"
SEPARATOR = "  "
"""Between the columns of a table."""


def table_lines(result: Result, width: int) -> Iterator[str]:
    """Format the rows as a table, or as one block per row if the table is too wide.

    Control characters are escaped, NULL is spelled out, and numbers are right-aligned.

    Args:
        result: The rows.
        width: Characters in a line.
    """
    names = [_cell(column.name) for column in result.columns]
    rows = [[NULL if text is None else _cell(text) for text in row] for row in result.rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    if sum(widths) + len(SEPARATOR) * (len(widths) - 1) > width and rows:
        return _blocks(names, rows)
    return _lines(names, rows, widths, _numeric_columns(result))


def json_text(result: Result) -> str:
    """Format the rows as a JSON list of objects.

    Numbers, booleans, arrays and JSON keep their JSON type, instants are UTC with `Z`, and
    everything else is Postgres's text.

    Raises:
        CommandError: Two columns have the same name, so an object would lose one.
    """
    names = [column.name for column in result.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CommandError(f"two columns are named {twice[0]}: rename one with AS for --json")
    return json.dumps(list(_objects(result)), indent=2, ensure_ascii=False)


def json_lines(result: Result) -> Iterator[str]:
    """Format each row as a JSON object in one line, with values as in `json_text`."""
    return (json.dumps(row, ensure_ascii=False) for row in _objects(result))


def csv_lines(result: Result) -> Iterator[str]:
    """Format the rows as CSV with a header; `""` is an empty text, and an empty field is NULL."""
    yield ",".join(_csv_field(column.name) for column in result.columns)
    for row in result.rows:
        yield ",".join(map(_csv_field, row))


def _objects(result: Result) -> Iterator[dict[str, Any]]:
    names = [column.name for column in result.columns]
    oids = [column.type_oid for column in result.columns]
    return (dict(zip(names, map(_json_value, oids, row), strict=True)) for row in result.rows)


def _cell(text: str) -> str:
    """Escape control characters, line breaks and tabs."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    margin = max(map(cell_len, names))
    for number, row in enumerate(rows, start=1):
        yield f"--- row {number} ---"
        for name, text in zip(names, row, strict=True):
            yield f"{_pad(name, margin)}{SEPARATOR}{text}".rstrip()


def _lines(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    right: Sequence[bool],
) -> Iterator[str]:
    for row in [names, *rows]:
        cells = map(_pad, row, widths, right)
        yield SEPARATOR.join(cells).rstrip()


def _pad(text: str, width: int, right: bool = False) -> str:  # noqa: FBT001, FBT002 - for `map`
    """Pad a text to a width in terminal cells; a Chinese character takes two."""
    gap = " " * (width - cell_len(text))
    return gap + text if right else text + gap


def _numeric_columns(result: Result) -> list[bool]:
    values = (
        [_json_value(column.type_oid, row[place]) for row in result.rows]
        for place, column in enumerate(result.columns)
    )
    return [
        all(value is None or type(value) in (int, float) for value in column) for column in values
    ]


def _csv_field(text: str | None) -> str:
    if text is None:
        return ""
    if text and text == text.strip() and not set(text) & set('",\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


def _json_value(type_oid: int, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return _plain(value_of(type_oid, text), text)
    except ValueError:
        # Postgres has times that Python lacks, such as infinity.
        return text


def _plain(value: Any, text: str) -> Any:
    match value:
        case float() | Decimal():
            # JSON has neither NaN nor Infinity.
            return json.loads(text, parse_constant=str)
        case datetime(tzinfo=zone) if zone:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list():
            return [_plain(each, str(each)) for each in value]
        case None | bool() | int() | str() | dict():
            return value
    return text
