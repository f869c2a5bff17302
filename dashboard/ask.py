"""Named statements of sql/*.sql, read through a Reader: a connection, or the function `queries`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.named_sql import read
from shared.queries import Query, Reader
from shared.query_texts import decode, encode

Row = dict[str, Any]
"""A row of a result: values by the names of the columns."""

STATEMENTS = {
    f"{path.stem}.{name}": sql
    for path in sorted((Path(__file__).parent / "sql").glob("*.sql"))
    for name, sql in read(path).items()
}


class Ask:
    """Runs named statements.

    Args:
        reader: Reads Postgres.
        columns: What stands for `{name}` in a statement: names of columns, never a reader's text.
        parameters: Values that every statement may name; what it does not name is left out.
    """

    def __init__(
        self, reader: Reader, columns: Mapping[str, str], parameters: Mapping[str, Any]
    ) -> None:
        self._reader = reader
        self._columns = columns
        self._parameters = parameters

    def rows(
        self, statement: str, columns: Mapping[str, str] | None = None, **parameters: Any
    ) -> list[Row]:
        """Run the statement `file.name`; return its rows.

        Args:
            statement: Its file and its name.
            columns: Further names for `{name}`, from a fixed table as those of all statements.
            parameters: Values of this statement.

        Raises:
            QueryError: It takes too long, or its rows take more than 5 MB.
            DatabaseAwayError: Postgres cannot serve now.
        """
        sql = STATEMENTS[statement]
        for name, column in {**self._columns, **(columns or {})}.items():
            sql = sql.replace(f"{{{name}}}", column)
        values = encode({**self._parameters, **parameters})
        result = self._reader.read(Query(sql=sql, parameters=values))
        names = [column.name for column in result.columns]
        return [dict(zip(names, row, strict=True)) for row in decode(result)]

    def row(self, statement: str, **parameters: Any) -> Row:
        """Run a statement that returns one row.

        Raises:
            IndexError: It returned none.
        """
        return self.rows(statement, **parameters)[0]
