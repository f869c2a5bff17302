from datetime import timedelta

import pytest

from services.enricher.domain.features import SOUND, merged, sounds, told
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


def test_what_a_source_tells_carries_its_name_and_the_time():
    features = told(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": 40})

    assert features == some_features(energy=0.5, source="radio", popularity=40)


def test_without_a_popularity_nobody_told_it():
    features = told(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": None})

    assert features == some_features(energy=0.5, source="radio", popularity=None)


@pytest.mark.parametrize("values", [{}, {"energy": None}, {"energy": 2}, {"popularity": -1}])
def test_an_answer_that_tells_nothing_is_none(values):
    assert told(uri("Boats"), "radio", START, values) is None


def test_an_impossible_popularity_takes_its_origin_along_and_its_neighbours_stay():
    features = told(uri("Boats"), "radio", START, {"energy": 0.5, "popularity": 101})

    assert features == some_features(energy=0.5, source="radio", popularity=None)


@pytest.mark.parametrize("name", SOUND)
def test_one_known_value_is_a_sound(name):
    assert sounds(some_features(**UNHEARD | {name: 0}))


def test_popularity_and_duration_are_no_sound():
    assert not sounds(some_features(energy=None, popularity=40, duration_ms=1))


def test_sound_and_popularity_may_be_of_two_sources():
    rating = some_features(energy=None, source="radio", popularity=40)
    sound = some_features(popularity=None, energy=0.5, source="lab", fetched_at=LATER)

    both = some_features(energy=0.5, source="lab", fetched_at=LATER, **rated(40, "radio"))
    assert merged(rating, sound) == both
    assert merged(sound, rating) == both


def test_the_first_to_tell_is_believed():
    first = some_features(energy=0.1, duration_ms=1, source="first", popularity=0)
    second = some_features(energy=0.2, duration_ms=2, source="second", popularity=9)

    assert merged(first, second) == first


def test_a_sound_is_taken_as_a_whole_from_one_source():
    first = some_features(energy=0.1, popularity=None, source="first")
    second = some_features(energy=0.2, tempo=120, popularity=None, source="second")

    assert merged(first, second) == first


def test_where_nobody_tells_a_sound_the_first_told_the_rest():
    first = some_features(**UNHEARD, duration_ms=5, source="first")
    second = some_features(**UNHEARD, duration_ms=6, source="second")

    assert merged(first, second) == first


def test_a_duration_is_taken_from_whoever_knows_it():
    first = some_features(energy=0.1, source="first")
    second = some_features(energy=None, duration_ms=6, source="second")

    assert merged(first, second).duration_ms == 6


def test_every_field_of_the_features_is_thought_of():
    of_the_rating = {"popularity", "popularity_source", "popularity_fetched_at"}
    others = {"track_uri", "source", "fetched_at", "duration_ms"}

    assert set(SOUND) | of_the_rating | others == set(TrackFeatures.model_fields)
