"""Connections to one Postgres that several threads share, one at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import DatabaseAwayError
from shared.postgres import Address, Database
from shared.queries import Reader

ANSWER_TIMEOUT_S = 40
"""Longer than role reader's statement timeout, so that Postgres itself ends a slow statement."""


class Connections:
    """As many connections as there are threads at work; they outlive a restart of Postgres."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[Database] = deque()

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Lend a connection that works. It is kept, unless Postgres failed in use.

        Raises:
            DatabaseAwayError: Postgres cannot serve now.
        """
        database = self._take()
        try:
            yield database
        except DatabaseAwayError:
            # The rest of an answer may still be on its way.
            database.close()
            raise
        finally:
            # After any other error it is clean, see Database.read; _take drops a closed one.
            self._idle.append(database)

    def _take(self) -> Database:
        """Return an idle connection whose server is still there, or a new one."""
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
