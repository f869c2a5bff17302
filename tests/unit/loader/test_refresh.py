"""When a load refreshes the derived tables, and how long a refresh goes on."""

import time
from contextlib import contextmanager

import pytest

from services.loader.refresh import FEW_MONTHS, MONTHS_AT_ONCE, QUIET_S, is_due, refresh


@pytest.mark.parametrize(
    ("months", "quiet_s", "due"),
    [
        (0, None, False),
        (0, QUIET_S + 1, False),
        (FEW_MONTHS, 1, True),
        # An upload may be under way.
        (FEW_MONTHS + 1, 1, False),
        (FEW_MONTHS + 1, QUIET_S, False),
        # None is, or it was cut off.
        (FEW_MONTHS + 1, QUIET_S + 1, True),
        # All of them are the load's own, as after a healing.
        (FEW_MONTHS + 1, None, True),
    ],
)
def test_a_poll_refreshes_what_is_little_or_has_waited(months, quiet_s, due):
    assert is_due(months, quiet_s) is due


class Months:
    """A database in which so many months are left after each refresh."""

    def __init__(self, *left, takes_s=0.0):
        self.left = list(left)
        self.takes_s = takes_s
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
        assert (statement.split()[1], parameters) == (
            "derived.refresh(:months::integer)",
            {"months": MONTHS_AT_ONCE},
        )
        time.sleep(self.takes_s)
        return [[self.left.pop(0)]]


def test_a_refresh_goes_on_until_no_month_is_left_each_time_in_a_transaction():
    months = Months(24, 12, 0)

    assert refresh(months, 60, 60) == 0
    assert months.committed == 3


def test_a_refresh_ends_while_others_hold_the_months():
    months = Months(24, 24, 12)

    assert refresh(months, 60, 60) == 24
    assert months.committed == 2


def test_a_refresh_ends_if_the_next_months_would_take_too_long():
    months = Months(24, 12, 0, takes_s=0.06)

    assert refresh(months, 0.1, 60) == 24
    assert months.committed == 1


def test_a_refresh_without_time_tries_the_first_months():
    assert refresh(Months(24), 0, 60) == 24


def test_postgres_ends_a_refresh_at_its_limit():
    months = Months(12, 0, takes_s=0.05)

    refresh(months, 60, 10)

    first, second = months.limits_ms
    assert 9_000 < second <= first - 50 < first <= 10_000


def test_a_limit_that_has_passed_is_a_limit_all_the_same():
    months = Months(0)

    refresh(months, 0, 0)

    assert months.limits_ms == [1]
