from datetime import timedelta
from types import SimpleNamespace

import pytest

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache
from services.enricher.domain.entry import Entry
from tests.unit.enricher.examples import START, TABLE, some_features, uri, uris


@pytest.fixture
def due(dynamodb):
    return DueTracks(dynamodb, TABLE)


@pytest.fixture
def remember(dynamodb):
    return TrackCache(dynamodb, TABLE).write


def paged(dynamodb, size, selects):
    """Return small pages of the index, and record the selection of each query."""

    def query(**request):
        selects.append(request["Select"])
        return dynamodb.query(**request, Limit=size)

    return SimpleNamespace(query=query)


def waiting(misses=0, **since):
    return Entry(misses=misses, retry_at=START - timedelta(**since))


def test_only_due_tracks_are_returned(due, remember):
    soon = START + timedelta(seconds=1)
    remember({uri("due"): waiting(), uri("settled"): Entry(some_features("settled"))})
    remember({uri("waiting"): Entry(retry_at=soon)})

    assert due.read(START, 10) == ([uri("due")], 1)
    assert due.read(soon, 10) == ([uri("due"), uri("waiting")], 2)


def test_due_tracks_are_ordered_by_misses_then_longest_overdue_first(due, remember):
    remember({uri("missed4"): waiting(4, days=9)})
    remember({uri("missed1"): waiting(1, days=8), uri("failedlate"): waiting(0, seconds=1)})
    remember({uri("missed3"): waiting(3, days=8), uri("failedearly"): waiting(0, seconds=2)})
    remember({uri("missed2"): waiting(2, days=8)})

    tracks, _ = due.read(START, 10)

    expected = ["failedearly", "failedlate", "missed1", "missed2", "missed3", "missed4"]
    assert tracks == [uri(name) for name in expected]


def test_at_most_the_requested_number_of_due_tracks_is_returned_but_all_are_counted(due, remember):
    remember(dict.fromkeys(uris(30), waiting()) | dict.fromkeys(uris(30, "missed"), waiting(2)))

    tracks, count = due.read(START, 20)

    assert (len(tracks), count) == (20, 60)
    assert set(tracks) <= set(uris(30))


def test_dynamodb_pages_beyond_the_limit_of_due_tracks_are_only_counted(dynamodb, remember):
    remember(dict.fromkeys(uris(25), waiting()))
    selects: list[str] = []

    tracks, count = DueTracks(paged(dynamodb, 10, selects), TABLE).read(START, 15)

    assert (len(set(tracks)), count) == (15, 25)
    projected, counted = "ALL_PROJECTED_ATTRIBUTES", "COUNT"
    assert selects == [projected, projected, counted, counted, counted, counted, counted]
