"""A real Postgres for the tests that need one, migrated once; and what leads to it, in moto."""

import json
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from infra.cdk.database import DATABASE
from infra.local import postgres
from infra.local.postgres import HOST, Passwords, PostgresServer
from services.loader import derive, handler, queries, settings
from services.loader.migrate import migrate
from shared.aws import client
from shared.postgres import Address, Database

LOGIN_PARAMETER = "/spotify-pipeline/database/loader"
HOST_PARAMETER = "/spotify-pipeline/database/host"
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
MEMORY = Path("/dev/shm")  # noqa: S108 - the folder below it has a random name
MEMORY_BYTES = 2 << 30
PASSWORDS = Passwords(*(secrets.token_hex(8) for _ in range(4)))


@pytest.fixture(scope="session")
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class DebianBinaries(postgres.Binaries):  # type: ignore[misc, name-defined]  # it ships no types
    """Debian's Postgres in place of the wheel's."""

    def __init__(self, *words, **options):
        super().__init__(*words, **options)
        self.bin_path = DEBIAN[-1]


@pytest.fixture(scope="session")
def binaries(request) -> Iterator[None]:
    """Take the embedded Postgres, or Debian's for tests that name it (see `loader/conftest.py`)."""
    with pytest.MonkeyPatch.context() as patch:
        if getattr(request, "param", "embedded") == "debian":
            if not DEBIAN:
                pytest.skip("needs Debian's Postgres: apt-get install postgresql")
            patch.setattr(postgres, "Binaries", DebianBinaries)
        yield


@pytest.fixture(scope="session")
def server(binaries, free_port) -> Iterator[PostgresServer]:
    # In memory if there is room: each test truncates all tables, which replaces some 60 files.
    # Not in pytest's own folder: each pytest that starts closes that to other users, and for root
    # the server runs as another user.
    is_roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
    place = MEMORY if is_roomy else None
    with tempfile.TemporaryDirectory(prefix="postgres-", dir=place) as folder:
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
        "loaded_batch, import_report, listener_setting, deletion, deleted_play, deleted_record "
        "RESTART IDENTITY"
    )
    connection = Database.connect(address_of("loader"))
    yield connection
    connection.close()


class Deployment:
    """The environment of a function, and what it finds in Parameter Store."""

    def __init__(self, address_of, monkeypatch):
        self._address_of = address_of
        self._parameters = boto3.client("ssm")
        self._parameters.put_parameter(Name=HOST_PARAMETER, Value="127.0.0.1", Type="String")
        self.say("{}")
        monkeypatch.setenv("DATABASE_LOGIN_PARAMETER", LOGIN_PARAMETER)
        monkeypatch.setenv("DATABASE_HOST_PARAMETER", HOST_PARAMETER)
        monkeypatch.setenv("DATABASE_CA_PARAMETER", "")
        monkeypatch.setenv("MATCH_WINDOW_S", "90")
        monkeypatch.setenv("LISTENERS", "me,anna")

    def know(self, role, **changes):
        """Put the login of a role into the parameter."""
        self.say(json.dumps(json.loads(self._address_of(role).login) | changes))

    def say(self, login):
        self._parameters.put_parameter(
            Name=LOGIN_PARAMETER, Value=login, Type="SecureString", Overwrite=True
        )


def forget_all():
    """Drop what a container keeps."""
    for kept in (client, settings.parameters_provider, handler.wire, queries.wire, derive.wire):
        kept.cache_clear()


def hang_up():
    """Close the warm connections, which in Lambda die with their containers."""
    if handler.wire.cache_info().currsize:
        handler.wire().connection.close()
    for function in (queries, derive):
        if function.wire.cache_info().currsize:
            function.wire().close()


@pytest.fixture
def deployment(address_of, monkeypatch) -> Iterator[Deployment]:
    forget_all()
    with mock_aws():
        yield Deployment(address_of, monkeypatch)
    hang_up()
    forget_all()
