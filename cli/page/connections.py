"""A pool of connections to one Postgres, for the threads of a server."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import DatabaseAwayError
from shared.postgres import Address, Database
from shared.queries import Reader

ANSWER_TIMEOUT_S = 40
"""Longer than the statement timeout of role reader, so that Postgres itself ends a slow query."""


class Connections:
    """A pool with a connection for each concurrent reader; it survives a restart of Postgres."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[Database] = deque()

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Lend a working connection. It returns to the pool, unless it broke while in use.

        Raises:
            DatabaseAwayError: Postgres is unavailable.
        """
        database = self._take()
        try:
            yield database
        except DatabaseAwayError:
            # The rest of an answer may still be in transit.
            database.close()
            raise
        finally:
            # After any other error the connection is clean (see Database.read); `_take` drops a
            # closed one.
            self._idle.append(database)

    def _take(self) -> Database:
        """Return an idle connection whose server still answers, or a new one."""
        while True:
            try:
                database = self._idle.pop()
            except IndexError:
                return Database.connect(self._address, ANSWER_TIMEOUT_S)
            try:
                database.run("SELECT 1")
            except DatabaseAwayError:
                database.close()
            else:
                return database

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
