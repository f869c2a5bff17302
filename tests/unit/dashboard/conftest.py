"""The page over a reader that returns fixed rows."""

from contextlib import nullcontext

import pytest

from dashboard.app import create_app
from shared.queries import Column, Query, Result

BASE_URL = "http://127.0.0.1:8100"
TEXT, DATE, BIGINT, TIMESTAMP = 25, 1082, 20, 1114


class Recorder:
    """A reader of some listeners. Other queries return no rows. It records every query."""

    def __init__(self, *listeners: list[str | None]) -> None:
        self._listeners = list(listeners)
        self.asked: list[Query] = []

    def read(self, query: Query) -> Result:
        self.asked.append(query)
        if "reporting.freshness" in query.sql:
            names = (
                *("listener", "time_zone", "today", "first_date"),
                *("last_played_at_local", "last_known_on", "marked_months"),
            )
            oids = (TEXT, TEXT, DATE, DATE, TIMESTAMP, DATE, BIGINT)
            return Result(columns=columns(names, oids), rows=self._listeners)
        if "this_year" in query.sql:
            return Result(
                columns=columns(("this_year", "last_months"), (BIGINT, BIGINT)), rows=[["70", "9"]]
            )
        return Result()

    def run(self, statement, **parameters):
        raise NotImplementedError


def columns(names, oids):
    return tuple(Column(name=name, type_oid=oid) for name, oid in zip(names, oids, strict=True))


@pytest.fixture
def browse():
    """Open the page over a reader; return a function that requests an address."""

    def over(reader, operations=None, simulated=frozenset):
        app = create_app(lambda: nullcontext(reader), operations, simulated)
        client = app.test_client()

        def get(path, method="GET", base_url=BASE_URL, **headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return client.open(path, method=method, base_url=base_url, headers=named)

        return get

    return over


@pytest.fixture
def no_listener():
    return Recorder()


@pytest.fixture
def listening():
    return Recorder
