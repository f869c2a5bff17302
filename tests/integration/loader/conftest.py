"""A store over the embedded Postgres."""

from collections.abc import Iterator

import pytest

from services.loader.store import Store
from shared.postgres import Database


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
