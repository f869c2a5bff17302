from datetime import timedelta

import pytest

from services.enricher.domain.features import (
    AUDIO_FEATURES,
    has_audio_features,
    merged,
    read_features,
)
from shared.models import TrackFeatures
from tests.unit.enricher.examples import START, some_features, uri

LATER = START + timedelta(days=1)
UNHEARD = {"energy": None, "popularity": None}


def rated(popularity, source, at=START):
    return {
        "popularity": popularity,
        "popularity_source": source,
        "popularity_fetched_at": at,
    }


def test_features_carry_their_source_and_time():
    features = read_features(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": 40})

    assert features == some_features(energy=0.5, source="radio", popularity=40)


def test_an_unknown_popularity_has_no_source():
    features = read_features(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": None})

    assert features == some_features(energy=0.5, source="radio", popularity=None)


@pytest.mark.parametrize("values", [{}, {"energy": None}, {"energy": 2}, {"popularity": -1}])
def test_an_answer_without_known_values_gives_none(values):
    assert read_features(uri("Boats"), "radio", START, values) is None


def test_an_impossible_popularity_is_unknown_and_the_others_stay():
    features = read_features(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": 101})

    assert features == some_features(energy=0.5, source="radio", popularity=None)


@pytest.mark.parametrize("name", AUDIO_FEATURES)
def test_one_known_value_is_enough_audio(name):
    assert has_audio_features(some_features(**UNHEARD | {name: 0}))


def test_popularity_and_duration_are_not_audio():
    assert not has_audio_features(some_features(energy=None, popularity=40, duration_ms=1))


def test_audio_and_popularity_may_come_from_two_sources():
    rating = some_features(energy=None, source="radio", popularity=40)
    sound = some_features(popularity=None, energy=0.5, source="lab", fetched_at=LATER)

    both = some_features(energy=0.5, source="lab", fetched_at=LATER, **rated(40, "radio"))
    assert merged(rating, sound) == both
    assert merged(sound, rating) == both


def test_the_first_answer_wins():
    first = some_features(energy=0.1, duration_ms=1, source="first", popularity=0)
    second = some_features(energy=0.2, duration_ms=2, source="second", popularity=9)

    assert merged(first, second) == first


def test_all_audio_features_come_from_one_source():
    first = some_features(energy=0.1, popularity=None, source="first")
    second = some_features(energy=0.2, tempo=120, popularity=None, source="second")

    assert merged(first, second) == first


def test_without_audio_the_first_answer_is_the_source():
    first = some_features(**UNHEARD, duration_ms=5, source="first")
    second = some_features(**UNHEARD, duration_ms=6, source="second")

    assert merged(first, second) == first


def test_a_duration_comes_from_the_answer_that_has_it():
    first = some_features(energy=0.1, source="first")
    second = some_features(energy=None, duration_ms=6, source="second")

    assert merged(first, second).duration_ms == 6


def test_merging_considers_every_field():
    of_the_rating = {"popularity", "popularity_source", "popularity_fetched_at"}
    others = {"track_uri", "source", "fetched_at", "duration_ms"}

    assert set(AUDIO_FEATURES) | of_the_rating | others == set(TrackFeatures.model_fields)
