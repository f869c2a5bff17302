"""Reads the result of a query as texts up to a size limit, and converts the texts to values.

Postgres sends every value as text, and pg8000 converts it. The function `queries` returns the texts
as JSON, and the caller converts them with pg8000's converters.
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

TIMESTAMPTZ = 1184  # its OID in every Postgres
CONVERTERS = PG_TYPES | {TIMESTAMPTZ: datetime.fromisoformat}
"""pg8000's converters by type, except that `timestamptz` uses fromisoformat, 10 times as fast."""


class ResultTooLargeError(Exception):
    """A result exceeded its limit. Close the connection, because Postgres still sends the rest."""


def read_texts(connection: Any, query: Query, most_bytes: int) -> Result:
    """Run one statement and return its rows as texts.

    It uses the extended protocol, in which Postgres refuses several statements at once.

    Args:
        connection: The connection of pg8000, in a transaction.
        query: The statement and its parameters.
        most_bytes: The most bytes that the rows may have as JSON.

    Raises:
        QueryError: The statement returns no rows, or a parameter is missing.
        ResultTooLargeError: The rows exceed the limit; the connection must be closed.
    """
    statement, values = _bound(query)
    name, columns, _ = connection.prepare_statement(statement, ())
    if columns is None:
        raise QueryError(
            "the statement returns no rows, and only reading is allowed: "
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
    """Convert the texts of a result to the values that a pg8000 connection would return."""
    oids = [column.type_oid for column in result.columns]
    return [
        [None if text is None else value_of(oid, text) for oid, text in zip(oids, row, strict=True)]
        for row in result.rows
    ]


def value_of(type_oid: int, text: str) -> Any:
    """Convert a text of Postgres to a value; return the text if the type is unknown.

    Raises:
        ValueError: Python has no such value, as for the instant `infinity`.
    """
    return CONVERTERS.get(type_oid, str)(text)


def encode(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Convert parameters as pg8000 does, so that JSON can hold them."""
    return {name: make_param(PY_TYPES, value) for name, value in parameters.items()}


def _bound(query: Query) -> tuple[str, tuple[Any, ...]]:
    """Replace `:name` by `$1`, `$2` …; return the statement, and the values in that order."""
    if not query.parameters:
        # Without parameters a colon is plain SQL, as in an array slice.
        return query.sql, ()
    try:
        # A line break, because pg8000 fails on a statement that ends with a colon.
        statement, make_values = to_statement(f"{query.sql}\n")
        return statement, make_values(query.parameters)
    except InterfaceError as error:
        raise QueryError(str(error)) from error


def _limited(handle_row: Any, most_bytes: int) -> Any:
    """Wrap pg8000's handler of a row so that it counts the bytes of the rows as JSON."""
    left = most_bytes

    def handle(data: bytes, context: Any) -> None:
        nonlocal left
        handle_row(data, context)
        # Two characters separate rows. Since Python 3.12 Lambda does not escape non-ASCII letters.
        left -= len(json.dumps(context.rows[-1], ensure_ascii=False).encode()) + 2
        if left < 0:
            raise ResultTooLargeError

    return handle
