from datetime import timedelta

import pytest

from services.enricher.domain.entry import Entry
from tests.unit.enricher.examples import START, some_features


@pytest.mark.parametrize(("misses", "days"), [(0, 1), (1, 7), (2, 30), (3, 90), (4, 90)], ids=str)
def test_each_miss_in_a_row_lengthens_the_delay(misses, days):
    missed = Entry(misses=misses).missed(None, START)

    assert missed.retry_at == START + timedelta(days=days)


def test_a_failure_is_not_a_miss():
    soon = START + timedelta(minutes=15)

    failed = Entry(misses=2).failed(None, START, soon)

    assert failed == Entry(misses=2, retry_at=soon)


def learn(entry, features):
    return entry.learned(features)


def miss(entry, features):
    return entry.missed(features, START)


def fail(entry, features):
    return entry.failed(features, START, START)


EVERY_NEWS = pytest.mark.parametrize("follow", [learn, miss, fail])


@EVERY_NEWS
def test_incomplete_features_stay_known(follow):
    part = some_features(energy=None)

    entry = follow(Entry(part, retry_at=START), None)

    assert entry.features == part


@EVERY_NEWS
def test_a_later_answer_replaces_an_earlier_one(follow):
    before = Entry(some_features(energy=0.1, popularity=40), retry_at=START)

    entry = follow(before, some_features(energy=0.2, popularity=41))

    assert entry.features == some_features(energy=0.2, popularity=41)


@EVERY_NEWS
def test_an_answer_without_popularity_keeps_the_known_one(follow):
    rated = {"popularity": 40, "popularity_source": "first", "popularity_fetched_at": START}
    before = Entry(some_features(energy=None, **rated), retry_at=START)

    entry = follow(before, some_features(energy=0.2, popularity=None, source="second"))

    assert entry.features == some_features(energy=0.2, source="second", **rated)


@EVERY_NEWS
def test_an_answer_without_audio_keeps_the_known_audio(follow):
    before = Entry(some_features(energy=0.2, popularity=None, source="first"), retry_at=START)

    entry = follow(before, some_features(energy=None, popularity=41, source="second"))

    rated = {"popularity": 41, "popularity_source": "second", "popularity_fetched_at": START}
    assert entry.features == some_features(energy=0.2, source="first", **rated)


@pytest.mark.parametrize(
    "before",
    [Entry(some_features()), Entry(misses=2, retry_at=START + timedelta(days=3))],
    ids=["settled", "not due"],
)
@pytest.mark.parametrize("follow", [miss, fail])
def test_asking_early_changes_no_delay(before, follow):
    assert follow(before, None) == before


def test_an_early_answer_makes_a_track_known():
    waiting = Entry(misses=2, retry_at=START + timedelta(days=3))

    assert waiting.learned(some_features()) == Entry(some_features())


def test_a_known_track_is_never_due():
    assert not Entry(some_features()).is_due(START)


def test_a_track_is_due_from_its_retry_at_on():
    entry = Entry(retry_at=START)

    assert entry.is_due(START)
    assert not entry.is_due(START - timedelta(microseconds=1))
