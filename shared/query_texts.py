"""The texts of a result, read from pg8000's connection up to a size, and the values that they are.

Postgres sends every value as text, and pg8000 makes a Python value of it. Texts travel as JSON, so
the values can be made elsewhere, by the same converters.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pg8000.converters import PG_TYPES, PY_TYPES, make_param, make_params
from pg8000.core import DATA_ROW
from pg8000.exceptions import InterfaceError
from pg8000.native import to_statement

from shared.errors import QueryError
from shared.queries import Column, Query, Result

TIMESTAMPTZ = 1184  # its object id, the same in every Postgres
CONVERTERS = PG_TYPES | {TIMESTAMPTZ: datetime.fromisoformat}
"""pg8000's own converters by type, except one: fromisoformat is ten times as fast as strptime."""


class ResultTooLargeError(Exception):
    """A result grew beyond its limit while it was read; the rest of it is still on its way."""


def read_texts(connection: Any, query: Query, most_bytes: int) -> Result:
    """Run one statement by the extended protocol, which refuses several, and read its rows.

    Args:
        connection: pg8000's, within a transaction.
        query: The statement.
        most_bytes: The most that the rows may take as JSON.

    Raises:
        QueryError: The statement gives no rows, or its parameters do not fit.
        ResultTooLargeError: The connection cannot be used any more.
    """
    statement, values = _bound(query)
    name, columns, _ = connection.prepare_statement(statement, ())
    if columns is None:
        raise QueryError(
            "the statement gives no rows, and this only reads: "
            "use SELECT, VALUES, TABLE, SHOW or EXPLAIN"
        )
    connection.message_types[DATA_ROW] = _limited(connection.handle_DATA_ROW, most_bytes)
    try:
        parameters = make_params(connection.py_types, values)
        texts = [str] * len(columns)
        context = connection.execute_named(name, parameters, columns, texts, statement)
    finally:
        connection.message_types[DATA_ROW] = connection.handle_DATA_ROW
    return Result(
        columns=tuple(Column(name=each["name"], type_oid=each["type_oid"]) for each in columns),
        rows=context.rows,
    )


def decode(result: Result) -> list[list[Any]]:
    """Make the values of a result, as a direct connection gives them."""
    oids = [column.type_oid for column in result.columns]
    return [
        [None if text is None else value_of(oid, text) for oid, text in zip(oids, row, strict=True)]
        for row in result.rows
    ]


def value_of(type_oid: int, text: str) -> Any:
    """Make the value that a text of Postgres stands for; of an unknown type the text itself.

    Raises:
        ValueError: Python has no such value, as with the instant `infinity`.
    """
    return CONVERTERS.get(type_oid, str)(text)


def encode(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Write parameters as pg8000 sends them, so that JSON can carry them."""
    return {name: make_param(PY_TYPES, value) for name, value in parameters.items()}


def _bound(query: Query) -> tuple[str, tuple[Any, ...]]:
    """Number the placeholders of a statement, and put the parameters into their order."""
    if not query.parameters:
        # Without parameters a colon is plain SQL, as in the slice of an array.
        return query.sql, ()
    try:
        # pg8000 stumbles over a statement that ends with a colon.
        statement, make_values = to_statement(f"{query.sql}\n")
        return statement, make_values(query.parameters)
    except InterfaceError as error:
        raise QueryError(str(error)) from error


def _limited(handle_row: Any, most_bytes: int) -> Any:
    """Wrap pg8000's handler of one row so that it counts what the rows take as JSON."""
    left = most_bytes

    def handle(data: bytes, context: Any) -> None:
        nonlocal left
        handle_row(data, context)
        # Two characters separate it from the next row. Since Python 3.12 Lambda escapes no letters.
        left -= len(json.dumps(context.rows[-1], ensure_ascii=False).encode()) + 2
        if left < 0:
            raise ResultTooLargeError

    return handle
