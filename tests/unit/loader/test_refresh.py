"""When a refresh of the derived tables ends."""

import time
from contextlib import contextmanager

import pytest

from services.loader.refresh import MONTHS_AT_ONCE, refresh
from shared.postgres import Database


class Months(Database):
    """A database with so many stale months, which computes as many as it is asked for."""

    def __init__(self, waiting, takes_s=0.0, *, held=False):
        self.waiting = waiting
        self.takes_s = takes_s
        self.held = held
        self.asked = []
        self.limits_ms = []
        self.committed = 0

    @contextmanager
    def transaction(self):
        yield
        self.committed += 1

    def run(self, statement, **parameters):
        if "statement_timeout" in statement:
            self.limits_ms.append(int(parameters["most_ms"]))
            return [[""]]
        assert "derived.refresh(:months::integer)" in statement
        self.asked.append(parameters["months"])
        time.sleep(self.takes_s)
        if not self.held:
            self.waiting = max(0, self.waiting - parameters["months"])
        return [[not self.held, self.waiting]]


def test_a_refresh_first_counts_stale_months_then_doubles_the_months_per_step():
    months = Months(60)

    assert refresh(months, 60, 60) == 0
    assert months.asked == [0, 1, 2, 4, 8, 16, MONTHS_AT_ONCE, MONTHS_AT_ONCE]
    assert months.committed == len(months.asked)


def test_without_stale_months_a_refresh_only_counts_them():
    months = Months(0)

    assert refresh(months, 60, 60) == 0
    assert months.asked == [0]


def test_a_refresh_ends_if_another_one_is_running():
    months = Months(24, held=True)

    assert refresh(months, 60, 60) == 24
    assert months.asked == [0]


def test_a_refresh_ends_if_the_next_transaction_would_take_too_long():
    months = Months(24, takes_s=0.05)

    assert refresh(months, 0.19, 60) == 23
    assert months.asked == [0, 1]


def test_a_refresh_without_time_left_still_counts_stale_months():
    months = Months(24)

    assert refresh(months, 0, 60) == 24
    assert months.asked == [0]


def test_a_refresh_computes_at_most_the_allowed_months():
    months = Months(24)

    assert refresh(months, 60, 60, most_months=3) == 21
    assert months.asked == [0, 1, 2]


@pytest.mark.parametrize(("limit_s", "limit_ms"), [(10, 10_000), (0, 1)])
def test_each_refresh_transaction_sets_the_statement_timeout(limit_s, limit_ms):
    months = Months(1)

    refresh(months, 60, limit_s)

    assert months.limits_ms == [limit_ms, limit_ms]
