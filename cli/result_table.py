"""The rows of a query as text: a table for people, JSON and CSV for programs."""

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
BETWEEN = "  "
"""What separates the columns of a table."""


def table_lines(result: Result, width: int) -> Iterator[str]:
    """Set the rows as a table; if that is too wide, as one block of lines for each row.

    Control characters are escaped, NULL is written as such, and numbers are set to the right.

    Args:
        result: What to show.
        width: Characters of a line.
    """
    names = [_cell(column.name) for column in result.columns]
    rows = [[NULL if text is None else _cell(text) for text in row] for row in result.rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *rows, strict=True)]
    if sum(widths) + len(BETWEEN) * (len(widths) - 1) > width and rows:
        return _blocks(names, rows)
    return _lines(names, rows, widths, _numeric_columns(result))


def json_text(result: Result) -> str:
    """Write the rows as a JSON list of objects.

    Numbers, booleans, arrays and JSON are what they are in JSON, instants are UTC with `Z`, and
    everything else is as Postgres writes it.

    Raises:
        CommandError: Two columns have the same name, and an object would hold one of them.
    """
    names = [column.name for column in result.columns]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CommandError(f"two columns are named {twice[0]}: rename one with AS for --json")
    oids = [column.type_oid for column in result.columns]
    rows = [dict(zip(names, map(_json_value, oids, row), strict=True)) for row in result.rows]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def csv_lines(result: Result) -> Iterator[str]:
    """Write the rows as CSV with a header, as Postgres does: NULL is nothing, and "" is empty."""
    yield ",".join(_csv_field(column.name) for column in result.columns)
    for row in result.rows:
        yield ",".join(map(_csv_field, row))


def _cell(text: str) -> str:
    """Escape what a terminal obeys, and what ends a line or moves a column."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _blocks(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    margin = max(map(cell_len, names))
    for number, row in enumerate(rows, start=1):
        yield f"--- row {number} ---"
        for name, text in zip(names, row, strict=True):
            yield f"{_set(name, margin)}{BETWEEN}{text}".rstrip()


def _lines(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    right: Sequence[bool],
) -> Iterator[str]:
    for row in [names, *rows]:
        cells = map(_set, row, widths, right)
        yield BETWEEN.join(cells).rstrip()


def _set(text: str, width: int, right: bool = False) -> str:  # noqa: FBT001, FBT002 - for `map`
    """Fill a text up to a width; a Chinese character takes two cells of a terminal."""
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
        # Postgres knows times that Python does not, such as infinity.
        return text


def _plain(value: Any, text: str) -> Any:
    match value:
        case float() | Decimal():
            # JSON knows neither NaN nor Infinity.
            return json.loads(text, parse_constant=str)
        case datetime(tzinfo=zone) if zone:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case list():
            return [_plain(each, str(each)) for each in value]
        case None | bool() | int() | str() | dict():
            return value
    return text
