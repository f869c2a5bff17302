"""Runs the named statements of sql/*.sql over a connection, or by the Lambda function `queries`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from shared.named_sql import read
from shared.queries import Query, Reader
from shared.query_texts import decode, encode

Row = dict[str, Any]
"""A row of a result: values by the names of the columns."""

SQL = Path(__file__).parent / "sql"
PLAYED = read(SQL / "played.sql")["played"]
"""The plays of a period by item: what `{played}` stands for, a table in parentheses."""
PLAYED_BEFORE = re.sub(r":(?=(?:head|months|tail)_|is_all)", ":before_", PLAYED)
STATEMENTS = {
    f"{path.stem}.{name}": sql.replace("{played}", f"(\n{PLAYED}\n)").replace(
        "{played_before}", f"(\n{PLAYED_BEFORE}\n)"
    )
    for path in sorted(SQL.glob("*.sql"))
    for name, sql in read(path).items()
}


class Ask:
    """Runs the named statements of sql/*.sql.

    Args:
        reader: Reads Postgres.
        columns: Replacements of `{name}` in a statement: column names, never text from a URL.
        parameters: Values for every statement; those that a statement does not name are left out.
    """

    def __init__(
        self, reader: Reader, columns: Mapping[str, str], parameters: Mapping[str, Any]
    ) -> None:
        self._reader = reader
        self._columns = columns
        self._parameters = parameters

    def bound(self, parameters: Mapping[str, Any]) -> Self:
        """Return a copy that binds other values (`:name`) in every statement."""
        return type(self)(self._reader, self._columns, parameters)

    def rows(
        self, statement: str, columns: Mapping[str, str] | None = None, **parameters: Any
    ) -> list[Row]:
        """Run the statement `file.name`; return its rows.

        Args:
            statement: Its file and name: `when.hours` is the statement `hours` of sql/when.sql.
            columns: Further replacements of `{name}`, which also never come from a URL.
            parameters: Values for this statement only.

        Raises:
            QueryError: Postgres rejects the statement, it takes too long, or its rows exceed 5 MB.
            DatabaseAwayError: Postgres is unavailable.
        """
        sql = STATEMENTS[statement]
        for name, column in {**self._columns, **(columns or {})}.items():
            sql = sql.replace(f"{{{name}}}", column)
        values = encode({**self._parameters, **parameters})
        result = self._reader.read(Query(sql=sql, parameters=values))
        names = [column.name for column in result.columns]
        return [dict(zip(names, row, strict=True)) for row in decode(result)]

    def row(self, statement: str, **parameters: Any) -> Row:
        """Run a statement; return its first row.

        Raises:
            IndexError: The statement returned no row.
        """
        return self.rows(statement, **parameters)[0]
