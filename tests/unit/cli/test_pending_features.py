"""How many tracks wait for audio features, and until when."""

from cli.pending_features import (
    PendingFeatures,
    failed_tracks,
    pending_features,
    pending_tracks,
)
from tests.fakes.track_cache import NOON, wait_for_features


def test_without_pending_tracks_the_counts_are_0(target):
    assert pending_features(target) == PendingFeatures(tracks=0, unknown_to_sources=0, due_at=None)


def test_tracks_that_no_source_knew_are_counted_apart_from_failed_ones(target):
    wait_for_features(target, 1, 0, NOON.replace(hour=14))
    wait_for_features(target, 2, 0, NOON.replace(hour=13))
    wait_for_features(target, 3, 1, NOON)
    wait_for_features(target, 4, 4, NOON.replace(year=2027))

    assert pending_features(target) == PendingFeatures(tracks=4, unknown_to_sources=2, due_at=NOON)


def test_pending_tracks_include_those_not_due_yet(target):
    wait_for_features(target, 1, 4, NOON.replace(year=2099))
    wait_for_features(target, 2, 0, NOON)

    assert pending_tracks(target) == [f"spotify:track:{number:022}" for number in (2, 1)]


def test_failed_tracks_returns_tracks_whose_source_failed_up_to_a_limit(target):
    wait_for_features(target, 1, 0, NOON)
    wait_for_features(target, 2, 0, NOON.replace(hour=13))
    wait_for_features(target, 3, 1, NOON)
    pending = pending_features(target)

    assert pending.source_failed == 2
    assert [len(failed_tracks(target, pending, most)) for most in (1, 9)] == [1, 2]
