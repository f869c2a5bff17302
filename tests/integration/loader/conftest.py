"""Fixtures for the embedded Postgres."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from services.loader.store import Store
from shared.postgres import Database

ON_BOTH = re.compile(r"loader/test_(migrate|reporting_docs|derive)|loader/reporting/test_(?!model)")
"""Files whose tests run on two versions of Postgres, because AWS has another one than the local
cloud. The model of 10,000 plays takes too long for that."""


def pytest_generate_tests(metafunc):
    if "binaries" in metafunc.fixturenames and ON_BOTH.search(metafunc.definition.path.as_posix()):
        metafunc.parametrize("binaries", ["embedded", "debian"], indirect=True, scope="session")


@pytest.fixture
def connect(address_of) -> Iterator[Callable[..., Database]]:
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
    """Return all rows of a query."""
    return database.run


@pytest.fixture
def instead_of_refresh(owner):
    """Replace the body of derived.refresh for a while."""

    @contextmanager
    def replace(body):
        ((before,),) = owner.run(
            "SELECT pg_get_functiondef('derived.refresh(integer)'::regprocedure)"
        )
        # With the rights of its caller, which may end its own connection.
        head = before.partition("AS $")[0].replace("SECURITY DEFINER", "")
        owner.run(f"{head} AS $$ BEGIN {body} END $$")
        try:
            yield
        finally:
            owner.run(before)

    return replace
