"""Postgres by pg8000, with verified TLS, the errors of `shared.errors`, and COPY.

Only this file and `shared.query_texts` import pg8000. The server's errors are translated by their
SQLSTATE (https://www.postgresql.org/docs/17/errcodes-appendix.html).
"""

import json
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import pg8000.native
from pg8000.exceptions import DatabaseError as ServerError
from pg8000.exceptions import InterfaceError

from shared.errors import (
    DatabaseAwayError,
    DatabaseLoginError,
    DatabaseRefusalError,
    QueryError,
)
from shared.queries import Query, Result
from shared.query_texts import CONVERTERS, TIMESTAMPTZ, ResultTooLargeError, read_texts

CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 300  # a migration may build an index
QUERY_TIMEOUT_S = 25
"""The timeout of one query, below the 30 s of role reader."""
MOST_BYTES = 5_000_000
"""Most bytes of a result as JSON, because an answer of Lambda holds 6 MB."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")

# The classes that mean bad data: data exception, integrity constraint violation, and program limit
# exceeded (a value too long for an index).
REFUSALS = ("22", "23", "54")
LOGIN_FAILURES = ("28",)
CANCELED = "57014"

TOO_LARGE = (
    f"the result is larger than {MOST_BYTES // 1_000_000} MB: read it in parts, with ORDER BY id "
    "LIMIT 10000 OFFSET 0, then 10000 and so on, or faster by ranges of a key (WHERE id > …)"
)


@dataclass(frozen=True)
class Address:
    """The address of a database, and the login.

    `ca_pem` is the CA of the server's certificate; empty means no TLS, which only a server on this
    machine may have. `via` is the host and port to connect to instead (a forwarded port); the
    certificate must still name `host`.
    """

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    ca_pem: str = ""
    via: tuple[str, int] | None = None

    @classmethod
    def of_login(
        cls, login: str, *, host: str, ca_pem: str = "", via: tuple[str, int] | None = None
    ) -> Self:
        """Read a stored login: JSON with username, password, dbname and port.

        Raises:
            ValueError: `login` is not such JSON. The message never holds the login.
        """
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            known = json.loads(login)
            return cls(
                host=host,
                port=int(known["port"]),
                database=known["dbname"],
                username=known["username"],
                password=known["password"],
                ca_pem=ca_pem,
                via=via,
            )
        # Raised outside an `except` block, because the error of json holds the login.
        raise ValueError("the login is not JSON with username, password, dbname and port")

    @property
    def login(self) -> str:
        """The login as JSON, for `of_login`."""
        known = {"username": self.username, "password": self.password, "dbname": self.database}
        return json.dumps(known | {"port": self.port})


class Database:
    """One connection to Postgres."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    def connect(cls, address: Address, answer_timeout_s: int = ANSWER_TIMEOUT_S) -> Self:
        """Open a connection.

        Args:
            address: The address and the login.
            answer_timeout_s: The timeout of each answer, in seconds.

        Raises:
            DatabaseLoginError: The server refuses the username or the password.
            DatabaseAwayError: The server cannot be reached, or the CA did not sign its certificate.
        """
        if not address.ca_pem and address.host not in LOOPBACK:
            raise DatabaseAwayError(
                f"TLS to {address.host} needs a CA certificate, and none is configured: "
                "store it in parameter /<deployment>/database/ca-pem"
            )
        host, port = address.via or (address.host, address.port)
        with _translated(f" at {host}:{port}"):
            # A context, because pg8000 does not verify the certificate if it gets True.
            tls = ssl.create_default_context(cadata=address.ca_pem) if address.ca_pem else False
            # pg8000 connects to `host` itself if it gets no socket.
            forwarded = address.via and socket.create_connection(address.via, CONNECT_TIMEOUT_S)
            connection = pg8000.native.Connection(
                address.username,
                sock=forwarded,
                host=address.host,
                port=address.port,
                database=address.database,
                password=address.password,
                ssl_context=tls,
                timeout=CONNECT_TIMEOUT_S,
            )
        # pg8000 would use the timeout of the connection for answers too.
        connection._usock.settimeout(answer_timeout_s)  # noqa: SLF001 - it offers no other way
        # pg8000 sends a statement with long parameters in pieces. The kernel would hold back the
        # last piece until the server acknowledges the others, which takes 40 ms.
        connection._usock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # noqa: SLF001 - likewise
        connection.register_in_adapter(TIMESTAMPTZ, CONVERTERS[TIMESTAMPTZ])
        return cls(connection)

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement with bound parameters (`:name`); return its rows as lists."""
        with _translated():
            return self._connection.run(statement, **parameters) or []

    def read(self, query: Query) -> Result:
        """Run one statement in a read-only transaction; return its rows as texts.

        The transaction is rolled back and the session is reset.

        Raises:
            QueryError: The query is not exactly one reading statement, Postgres refuses it, it
                takes longer than `QUERY_TIMEOUT_S`, or its result is larger than `MOST_BYTES`.
            DatabaseAwayError: Postgres cannot be used now.
        """
        with _translated(), _translated_query():
            self._connection.run(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = '{QUERY_TIMEOUT_S}s'"
            )
            try:
                result = read_texts(self._connection, query, MOST_BYTES)
            except (ServerError, QueryError):
                self._reset()
                raise
            except BaseException:
                # Otherwise the rest of this answer would be read as that of the next statement.
                self.close()
                raise
            self._reset()
        return result

    def copy_in(self, table: str, columns: Sequence[str], text: bytes) -> None:
        """Write rows into a table by COPY; `text` is in COPY's text format."""
        with _translated():
            self._connection.run(f"COPY {table} ({', '.join(columns)}) FROM STDIN", stream=[text])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction; roll back if it raises."""
        self.run("BEGIN")
        try:
            yield
        except BaseException:
            self._roll_back()
            raise
        self.run("COMMIT")

    def close(self) -> None:
        """Close the connection; ignore the error if it is already broken."""
        try:
            self._connection.close()
        except (InterfaceError, OSError):
            return

    def _reset(self) -> None:
        """Reset the session, because a rollback keeps advisory locks and prepared statements."""
        self._connection.run("ROLLBACK")
        self._connection.run("DISCARD ALL")
        # pg8000 still counts the prepared statements that DISCARD removed.
        self._connection._statement_nums.clear()  # noqa: SLF001 - it offers no other way

    def _roll_back(self) -> None:
        try:
            self.run("ROLLBACK")
        except DatabaseAwayError:
            # The server rolls back when the connection is lost, and the first error is raised.
            return


@contextmanager
def _translated(place: str = "") -> Iterator[None]:
    try:
        yield
    except ServerError as error:
        detail = error.args[0] if isinstance(error.args[0], dict) else {}
        state, message = detail.get("C", ""), detail.get("M", str(error))
        if state.startswith(REFUSALS):
            raise DatabaseRefusalError(f"{message} ({state})") from error
        if state.startswith(LOGIN_FAILURES):
            raise DatabaseLoginError(f"{message} ({state})") from error
        raise DatabaseAwayError(f"{message} ({state})") from error
    except (InterfaceError, OSError) as error:
        # The cause is the system's error; the message of pg8000 only names its own arguments.
        reason = error.__cause__ or error
        raise DatabaseAwayError(f"no connection to Postgres{place}: {reason}") from error


@contextmanager
def _translated_query() -> Iterator[None]:
    """Translate errors of a query to QueryError, but leave those of a lost connection."""
    try:
        yield
    except ServerError as error:
        raise QueryError(_explained(error.args[0])) from error
    except ResultTooLargeError:
        raise QueryError(TOO_LARGE) from None
    except UnicodeError as error:
        raise QueryError(f"a text of the statement or its result is not UTF-8: {error}") from error


def _explained(fault: dict[str, str]) -> str:
    """Format an error of Postgres in one line: message, position, hint and SQLSTATE."""
    line = fault["M"]
    if fault["C"] == CANCELED:
        line += f": a query has {QUERY_TIMEOUT_S} s, so read less at once"
    if position := fault.get("P"):
        line += f" at character {position}"
    if hint := fault.get("H"):
        line += f"; hint: {hint}"
    return f"{line} ({fault['C']})"
