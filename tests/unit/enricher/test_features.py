from datetime import timedelta

import pytest

from services.enricher.domain.features import (
    AUDIO_FEATURES,
    has_audio_features,
    merged,
    read_features,
)
from shared.models import TrackFeatures
from tests.unit.enricher.examples import START, rated, some_features, uri

LATER = START + timedelta(days=1)


@pytest.mark.parametrize(
    ("values", "known"),
    [
        ({"energy": 0.5, "popularity": 40}, some_features(popularity=40)),
        ({"energy": 0.5, "popularity": None}, some_features(popularity=None)),
        ({"energy": 0.5, "popularity": 101}, some_features(popularity=None)),
        ({"energy": 2, "popularity": 40}, some_features(energy=None, popularity=40)),
        ({}, None),
        ({"energy": None}, None),
        ({"energy": 2}, None),
        ({"popularity": -1}, None),
    ],
    ids=str,
)
def test_feature_values_out_of_range_are_unknown(values, known):
    assert read_features(uri("Boats"), "test", START, values) == known


@pytest.mark.parametrize("name", AUDIO_FEATURES)
def test_a_track_with_a_single_audio_feature_has_audio_features(name):
    assert has_audio_features(some_features(**{"energy": None, name: 0}))


def test_popularity_and_duration_do_not_count_as_audio_features():
    assert not has_audio_features(some_features(energy=None, popularity=40, duration_ms=1))


def test_audio_features_and_popularity_can_come_from_two_sources():
    rating = some_features(energy=None, source="radio", popularity=40)
    sound = some_features(popularity=None, energy=0.5, source="lab", fetched_at=LATER)

    both = some_features(energy=0.5, source="lab", fetched_at=LATER, **rated(40, "radio"))
    assert merged(rating, sound) == both
    assert merged(sound, rating) == both


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            {"energy": 0.1, "duration_ms": 1, "popularity": 0},
            {"energy": 0.2, "duration_ms": 2, "popularity": 9},
            id="both know all",
        ),
        pytest.param(
            {"energy": 0.1, "popularity": None},
            {"energy": 0.2, "popularity": None, "tempo": 120},
            id="the second knows more of the sound",
        ),
        pytest.param(
            {"energy": None, "popularity": None, "duration_ms": 5},
            {"energy": None, "popularity": None, "duration_ms": 6},
            id="neither knows the sound",
        ),
    ],
)
def test_audio_features_of_two_sources_are_not_mixed_and_the_first_source_wins(first, second):
    wins = some_features(**first, source="first")

    assert merged(wins, some_features(**second, source="second")) == wins


def test_a_merged_duration_comes_from_the_source_that_has_one():
    first = some_features(energy=0.1, source="first")
    second = some_features(energy=None, duration_ms=6, source="second")

    assert merged(first, second).duration_ms == 6


def test_merging_features_covers_every_field_of_track_features():
    of_the_rating = {"popularity", "popularity_source", "popularity_fetched_at"}
    others = {"track_uri", "source", "fetched_at", "duration_ms"}

    assert set(AUDIO_FEATURES) | of_the_rating | others == set(TrackFeatures.model_fields)
