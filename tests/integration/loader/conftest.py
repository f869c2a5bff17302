"""A store over the embedded Postgres; and what leads to that, in moto."""

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from services.loader import handler, settings
from services.loader.store import Store
from shared.aws import client
from shared.postgres import Database

LOGIN_PARAMETER = "/spotify-pipeline/database/loader"
HOST_PARAMETER = "/spotify-pipeline/database/host"


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

    def know(self, role, **changes):
        """Put the login of a role into the parameter."""
        self.say(json.dumps(json.loads(self._address_of(role).login) | changes))

    def say(self, login):
        self._parameters.put_parameter(
            Name=LOGIN_PARAMETER, Value=login, Type="SecureString", Overwrite=True
        )


def forget_all():
    """Drop what a container keeps."""
    for kept in (client, settings.parameters_provider, handler.wire):
        kept.cache_clear()


def hang_up():
    """Close the warm connection, which in Lambda dies with its container."""
    if handler.wire.cache_info().currsize:
        handler.wire().__self__._disconnect()  # noqa: SLF001 - only a test ends a container


@pytest.fixture
def deployment(address_of, monkeypatch) -> Iterator[Deployment]:
    forget_all()
    with mock_aws():
        yield Deployment(address_of, monkeypatch)
    hang_up()
    forget_all()


@pytest.fixture
def connect(address_of) -> Iterator:
    """Open further connections, closed when the test ends."""
    opened = []

    def connection(role="loader"):
        opened.append(Database.connect(address_of(role)))
        return opened[-1]

    yield connection
    for database in opened:
        database.close()


@pytest.fixture
def load(database):
    """Load batches through one store, as a warm function does."""
    store = Store(database)

    def batches(*given):
        store.load(given)

    return batches


@pytest.fixture
def rows(database):
    """Give all rows of a query as they are."""
    return database.run
