"""A real Postgres for the tests that need one: the embedded server, migrated once."""

import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cdk.database import DATABASE
from infra.local.postgres import HOST, Passwords, PostgresServer
from services.loader.migrate import migrate
from shared.postgres import Address, Database

PASSWORDS = Passwords(*(secrets.token_hex(8) for _ in range(3)))


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def server(free_port) -> Iterator[PostgresServer]:
    # Not in pytest's own folder: each pytest that starts shuts that to other users, and for root
    # the server runs as one.
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:
        server = PostgresServer(Path(folder) / "data")
        server.start(free_port, PASSWORDS, "-c fsync=off")
        yield server
        server.stop()


@pytest.fixture(scope="session")
def address_of(server, free_port):
    def address(role: str) -> Address:
        password = getattr(PASSWORDS, role)
        return Address(HOST, free_port, DATABASE, role, password)

    return address


@pytest.fixture(scope="session")
def owner(address_of) -> Iterator[Database]:
    """The migrator's connection, after the migrations."""
    database = Database.connect(address_of("migrator"))
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def database(owner, address_of) -> Iterator[Database]:
    """The loader's connection to empty tables."""
    owner.run(
        "TRUNCATE listening_history, merged_record, track_features, poll, gap, "
        "loaded_batch, import_report RESTART IDENTITY"
    )
    connection = Database.connect(address_of("loader"))
    yield connection
    connection.close()
