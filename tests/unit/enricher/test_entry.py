from datetime import timedelta

import pytest

from services.enricher.domain.entry import Entry
from tests.unit.enricher.examples import START, known_features, some_features


@pytest.mark.parametrize(("misses", "days"), [(0, 1), (1, 7), (2, 30), (3, 90), (4, 90)], ids=str)
def test_each_miss_in_a_row_lengthens_the_wait(misses, days):
    missed = Entry(misses=misses).missed(None, START)

    assert missed.retry_at == START + timedelta(days=days)


def test_a_failure_is_no_miss():
    soon = START + timedelta(minutes=15)

    failed = Entry(misses=2).failed(None, START, soon)

    assert failed == Entry(misses=2, retry_at=soon)


def learn(entry, told):
    return entry.learnt(told)


def miss(entry, told):
    return entry.missed(told, START)


def fail(entry, told):
    return entry.failed(told, START, START)


EVERY_NEWS = pytest.mark.parametrize("follow", [learn, miss, fail])


@EVERY_NEWS
def test_what_is_known_in_part_stays_known(follow):
    part = known_features(energy=None)

    entry = follow(Entry(part, retry_at=START), None)

    assert entry.features == part


@EVERY_NEWS
def test_what_is_told_later_replaces_what_was_told_before(follow):
    before = Entry(known_features(energy=0.1, popularity=40), retry_at=START)

    entry = follow(before, some_features(energy=0.2, popularity=41))

    assert entry.features == known_features(energy=0.2, popularity=41)


@EVERY_NEWS
def test_a_later_answer_without_popularity_keeps_the_one_known_before(follow):
    rated = {"popularity": 40, "popularity_source": "first", "popularity_fetched_at": START}
    before = Entry(known_features(energy=None, **rated), retry_at=START)

    entry = follow(before, some_features(energy=0.2, popularity=None, source="second"))

    assert entry.features == known_features(energy=0.2, source="second", **rated)


@EVERY_NEWS
def test_a_later_answer_without_sound_keeps_the_one_known_before(follow):
    before = Entry(known_features(energy=0.2, popularity=None, source="first"), retry_at=START)

    entry = follow(before, some_features(energy=None, popularity=41, source="second"))

    rated = {"popularity": 41, "popularity_source": "second", "popularity_fetched_at": START}
    assert entry.features == known_features(energy=0.2, source="first", **rated)


@pytest.mark.parametrize(
    "before",
    [Entry(known_features()), Entry(misses=2, retry_at=START + timedelta(days=3))],
    ids=["settled", "not due"],
)
@pytest.mark.parametrize("follow", [miss, fail])
def test_who_is_asked_before_the_time_waits_no_longer_for_it(before, follow):
    assert follow(before, None) == before


def test_a_track_is_settled_by_an_answer_before_its_time():
    waiting = Entry(misses=2, retry_at=START + timedelta(days=3))

    assert waiting.learnt(some_features()) == Entry(known_features())


def test_a_settled_track_is_never_due():
    assert not Entry(known_features()).is_due(START)


def test_a_track_is_due_at_the_very_instant_and_not_before():
    entry = Entry(retry_at=START)

    assert entry.is_due(START)
    assert not entry.is_due(START - timedelta(microseconds=1))


def test_an_entry_that_waits_for_nothing_never_knows_less_than_another():
    settled = Entry(known_features("Boats"))

    assert not settled.knows_less_than(settled)
    assert Entry(retry_at=START).knows_less_than(settled)


def test_an_entry_without_features_knows_less_than_one_that_counts_a_miss_more():
    known, missed = known_features("Boats"), Entry(misses=1, retry_at=START)

    assert Entry(retry_at=START).knows_less_than(missed)
    assert not missed.knows_less_than(missed)
    assert not Entry(known, retry_at=START).knows_less_than(missed)
