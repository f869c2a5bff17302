"""Instants and lengths of time as people read them."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from cli.local_time import ago, length, local

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.fixture
def kolkata(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_an_instant_is_shown_in_the_machine_time_zone(kolkata):
    assert local(NOON) == "2026-07-01 17:30 IST"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        *((0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h")),
        *((172_799, "47 h"), (172_800, "2 days"), (864_000, "10 days")),
    ],
)
def test_a_duration_is_shown_in_its_largest_fitting_unit(seconds, shown):
    assert length(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "just now"), (59, "just now"), (60, "60 s ago"), (300, "5 min ago")]
)
def test_an_age_of_less_than_a_minute_is_shown_as_just_now(seconds, shown):
    assert ago(NOON - timedelta(seconds=seconds), NOON) == shown
