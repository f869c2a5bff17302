"""How many tracks wait for audio features, and until when."""

from cli.pending_features import PendingFeatures, pending_features, pending_tracks
from tests.fakes.track_cache import NOON, wait_for_features


def test_without_a_pending_track_nothing_waits(target):
    assert pending_features(target) == PendingFeatures(tracks=0, unknown_to_sources=0, due_at=None)


def test_tracks_of_a_failed_source_are_counted_apart_from_unknown_tracks(target):
    wait_for_features(target, 1, 0, NOON.replace(hour=14))
    wait_for_features(target, 2, 0, NOON.replace(hour=13))
    wait_for_features(target, 3, 1, NOON)
    wait_for_features(target, 4, 4, NOON.replace(year=2027))

    assert pending_features(target) == PendingFeatures(tracks=4, unknown_to_sources=2, due_at=NOON)


def test_every_pending_track_is_read_due_or_not(target):
    wait_for_features(target, 1, 4, NOON.replace(year=2099))
    wait_for_features(target, 2, 0, NOON)

    assert pending_tracks(target) == [f"spotify:track:{number:022}" for number in (2, 1)]
