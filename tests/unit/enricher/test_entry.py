from datetime import timedelta

import pytest

from services.enricher.entry import Entry
from tests.unit.enricher.examples import START, known_features


@pytest.mark.parametrize(("misses", "days"), [(0, 1), (1, 7), (2, 30), (3, 90), (4, 90)], ids=str)
def test_each_miss_in_a_row_lengthens_the_wait(misses, days):
    missed = Entry(misses=misses).missed(None, START)

    assert missed.retry_at == START + timedelta(days=days)


def test_a_failure_is_no_miss():
    soon = START + timedelta(minutes=15)

    failed = Entry(misses=2).failed(None, soon)

    assert failed == Entry(misses=2, retry_at=soon)


@pytest.mark.parametrize("follow", [Entry.missed, Entry.failed])
def test_what_is_known_in_part_stays_known(follow):
    part = known_features(energy=None)

    entry = follow(Entry(part), None, START)

    assert entry.features == part


@pytest.mark.parametrize("follow", [Entry.missed, Entry.failed])
def test_what_is_told_later_replaces_what_was_told_before(follow):
    later = known_features(popularity=41)

    entry = follow(Entry(known_features(popularity=40)), later, START)

    assert entry.features == later


def test_a_settled_track_is_never_due():
    assert not Entry(known_features()).is_due(START)


def test_a_track_is_due_at_the_very_instant_and_not_before():
    entry = Entry(retry_at=START)

    assert entry.is_due(START)
    assert not entry.is_due(START - timedelta(microseconds=1))
