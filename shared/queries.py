"""One read-only statement for Postgres and its result, as they travel to and from a function."""

from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class Query(BaseModel):
    """One statement with its parameters: `:name` in the SQL stands for the value of `name`.

    A value is what JSON can hold. Dates, instants and lists may also come as Postgres writes them.
    """

    model_config = ConfigDict(frozen=True)

    sql: str
    parameters: dict[str, Any] = {}


class Column(BaseModel):
    """A column of a result; `type_oid` is Postgres's number of its type."""

    model_config = ConfigDict(frozen=True)

    name: str
    type_oid: int


class Result(BaseModel):
    """The rows of a statement as Postgres writes their values; None is NULL."""

    model_config = ConfigDict(frozen=True)

    columns: tuple[Column, ...] = ()
    rows: list[list[str | None]] = []


class Answer(Result):
    """What the function `queries` answers: a result, or why the statement has none."""

    error: str | None = None


class Reader(Protocol):
    """What reads from Postgres as role reader: a connection, or the function `queries`."""

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement with bound parameters (`:name`); return its rows as lists."""
        ...

    def read(self, query: Query) -> Result:
        """Run one statement in a read-only transaction, with limits of time and size.

        Raises:
            QueryError: The statement cannot be run, or exceeds a limit.
            DatabaseAwayError: Postgres cannot serve now.
        """
        ...
