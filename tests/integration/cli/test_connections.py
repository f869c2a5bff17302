"""The page's connection pool, with a Postgres that stops and starts."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from werkzeug.exceptions import NotFound

from cli.page.connections import Connections
from infra.cdk.database import DATABASE
from infra.local.ports import any_free
from infra.local.postgres import HOST, Passwords, PostgresServer
from shared.errors import DatabaseAwayError, QueryError
from shared.postgres import Address
from shared.queries import Query

PASSWORDS = Passwords("migrator", "loader", "reader", "report_reader")
BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture(scope="module")
def postgres():
    """A server that only this file stops and starts."""
    port = any_free()
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(Path(folder) / "data")

        def start() -> None:
            server.start(port, PASSWORDS, "-c fsync=off")

        address = Address(HOST, port, DATABASE, "reader", PASSWORDS.reader)
        yield SimpleNamespace(address=address, start=start, stop=server.stop)
        server.stop()


@pytest.fixture
def connections(postgres):
    postgres.start()
    connections = Connections(postgres.address)
    yield connections
    connections.close()


def backend(connections) -> int:
    with connections.reader() as reader:
        return reader.run(BACKEND)[0][0]


def test_an_idle_connection_is_reused(connections):
    assert backend(connections) == backend(connections)


def test_concurrent_readers_have_separate_connections(connections):
    with connections.reader() as first, connections.reader() as second:
        assert first.run(BACKEND) != second.run(BACKEND)


def test_connections_from_before_a_restart_are_dropped(connections, postgres):
    with connections.reader(), connections.reader():
        pass

    postgres.stop()
    postgres.start()

    assert backend(connections)


def test_a_stopped_postgres_is_an_error_until_it_restarts(connections, postgres):
    backend(connections)
    postgres.stop()
    with pytest.raises(DatabaseAwayError), connections.reader():
        pass

    postgres.start()

    assert backend(connections)


def test_a_connection_is_reused_after_a_page_not_found(connections):
    before = backend(connections)
    with pytest.raises(NotFound), connections.reader():
        raise NotFound

    assert backend(connections) == before


def test_a_connection_is_reused_after_a_failed_statement(connections):
    before = backend(connections)
    with pytest.raises(QueryError), connections.reader() as reader:
        reader.read(Query(sql="SELECT 1/0"))

    assert backend(connections) == before


def test_a_broken_connection_is_not_reused(connections):
    before = backend(connections)
    with pytest.raises(DatabaseAwayError), connections.reader() as reader:
        reader.read(Query(sql="SELECT pg_terminate_backend(pg_backend_pid())"))

    assert backend(connections) != before
