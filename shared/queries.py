"""Request and response of the function `queries`: a read-only SQL statement, and its rows."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class Query(BaseModel):
    """One statement with its parameters: `:name` in the SQL stands for the value of `name`.

    Values are JSON values. A date, an instant or a list may also be a text in Postgres's format.
    """

    model_config = ConfigDict(frozen=True)

    sql: str
    parameters: dict[str, Any] = {}


class Column(BaseModel):
    """A column of a result; `type_oid` is the Postgres OID of its type."""

    model_config = ConfigDict(frozen=True)

    name: str
    type_oid: int


class Result(BaseModel):
    """The rows of a statement, with values as Postgres writes them; None is NULL."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[Column, ...] = ()
    rows: list[list[str | None]] = []


class Answer(Result):
    """The answer of the function `queries`: a result, or the error of the statement."""

    error: str | None = None


class Reader(Protocol):
    """Reads from Postgres as role reader: a connection, or the function `queries`."""

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement with bound parameters (`:name`); return its rows as lists."""
        ...

    def read(self, query: Query) -> Result:
        """Run one statement in a read-only transaction, with limits of time and size.

        Raises:
            QueryError: The statement cannot be run, or exceeds a limit.
            DatabaseAwayError: Postgres cannot be used now.
        """
        ...
