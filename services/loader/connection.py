"""A connection to Postgres that a container reuses from one invocation to the next."""

from collections.abc import Callable
from typing import Generic, TypeVar

from services.loader.settings import DatabaseSettings, find_database
from shared.errors import DatabaseAwayError, DatabaseLoginError
from shared.postgres import Database

_User = TypeVar("_User")
_Done = TypeVar("_Done")


class WarmConnection(Generic[_User]):
    """Keeps one connection and the object that uses it; reconnects after a failure.

    Args:
        settings: Names of the parameters with the address and login of the database.
        make_user: Builds the object that uses a connection.
        answer_timeout_s: How long to wait for each answer, seconds.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        make_user: Callable[[Database], _User],
        answer_timeout_s: int,
    ) -> None:
        self._settings = settings
        self._make_user = make_user
        self._answer_timeout_s = answer_timeout_s
        self._open: tuple[Database, _User] | None = None

    def run(self, work: Callable[[_User], _Done], *, retries: bool = True) -> _Done:
        """Run `work`; if a warm connection fails, reconnect and run it once more.

        Args:
            work: Called with the object that uses the connection.
            retries: False if there is no time for a second attempt.

        Raises:
            DatabaseAwayError: Postgres cannot be reached or used now.
        """
        is_warm = self._open is not None
        try:
            return work(self._user())
        except DatabaseAwayError:
            self.close()
            # A warm connection may have died since the last invocation. If a fresh one fails, the
            # next would fail too.
            if not (is_warm and retries):
                raise
            return work(self._user())

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._open is not None:
            self._open[0].close()
            self._open = None

    def _user(self) -> _User:
        if self._open is None:
            database = self._connect()
            self._open = database, self._make_user(database)
        return self._open[1]

    def _connect(self) -> Database:
        try:
            return Database.connect(find_database(self._settings), self._answer_timeout_s)
        except DatabaseLoginError:
            fresh = find_database(self._settings, force=True)
            return Database.connect(fresh, self._answer_timeout_s)
