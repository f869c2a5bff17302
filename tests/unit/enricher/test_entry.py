from datetime import timedelta

import pytest

from services.enricher.domain.entry import Entry
from tests.unit.enricher.examples import START, rated, some_features


@pytest.mark.parametrize(("misses", "days"), [(0, 1), (1, 7), (2, 30), (3, 90), (4, 90)], ids=str)
def test_each_consecutive_miss_lengthens_the_retry_delay(misses, days):
    missed = Entry(misses=misses).missed(None, START)

    assert missed.retry_at == START + timedelta(days=days)


def test_a_failed_request_does_not_count_as_a_miss():
    soon = START + timedelta(minutes=15)

    failed = Entry(misses=2).failed(None, START, soon)

    assert failed == Entry(misses=2, retry_at=soon)


def learn(entry, features):
    return entry.learned(features)


def miss(entry, features):
    return entry.missed(features, START)


def fail(entry, features):
    return entry.failed(features, START, START)


@pytest.mark.parametrize(
    ("before", "answered", "known"),
    [
        pytest.param(
            some_features(energy=None), None, some_features(energy=None), id="without an answer"
        ),
        pytest.param(
            some_features(energy=0.1, popularity=40),
            some_features(energy=0.2, popularity=41),
            some_features(energy=0.2, popularity=41),
            id="all anew",
        ),
        pytest.param(
            some_features(energy=None, **rated(40, "first")),
            some_features(energy=0.2, popularity=None, source="second"),
            some_features(energy=0.2, source="second", **rated(40, "first")),
            id="audio",
        ),
        pytest.param(
            some_features(energy=0.2, popularity=None, source="first"),
            some_features(energy=None, popularity=41, source="second"),
            some_features(energy=0.2, source="first", **rated(41, "second")),
            id="popularity",
        ),
    ],
)
@pytest.mark.parametrize("follow", [learn, miss, fail])
def test_new_features_are_merged_with_the_cached_ones(follow, before, answered, known):
    entry = follow(Entry(before, retry_at=START), answered)

    assert entry.features == known


@pytest.mark.parametrize(
    "before",
    [Entry(some_features()), Entry(misses=2, retry_at=START + timedelta(days=3))],
    ids=["settled", "not due"],
)
@pytest.mark.parametrize("follow", [miss, fail])
def test_a_miss_or_failure_before_a_track_is_due_leaves_its_cache_entry_unchanged(before, follow):
    assert follow(before, None) == before


def test_features_found_before_a_track_is_due_make_it_known():
    waiting = Entry(misses=2, retry_at=START + timedelta(days=3))

    assert waiting.learned(some_features()) == Entry(some_features())


def test_a_known_track_is_never_due():
    assert not Entry(some_features()).is_due(START)


def test_a_pending_track_is_due_from_retry_at_onwards():
    entry = Entry(retry_at=START)

    assert entry.is_due(START)
    assert not entry.is_due(START - timedelta(microseconds=1))
