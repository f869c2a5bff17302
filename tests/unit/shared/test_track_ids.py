"""The track ids that answers of Spotify may hold, and those that queues may hold."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.models import EnrichedBatch, ForeignTrackUri, PlayBatch, has_usual_id

NOON = "2026-11-01T12:00:00Z"
PLACEHOLDERS = ["null", "NULL", "undefined", "Undefined", "None", "none", "nan", "NaN"]
USUAL = "1AAAAAAAAAAAAAAAAAAAAA"
UNUSUAL = ["a", "nullable", "anull", "1" * 64, "noneNULLnan", "a-b", "A_1", "a.b~c", "1" * 65]
FOREIGN_TRACK_URI = TypeAdapter(ForeignTrackUri)


def a_play(track_uri):
    return {"track_uri": track_uri, "track_name": "a", "artist_name": "b", "played_at": NOON}


@pytest.mark.parametrize("track_id", PLACEHOLDERS)
@pytest.mark.parametrize("model", [PlayBatch, EnrichedBatch])
def test_a_queued_play_with_track_id_null_from_an_earlier_release_is_accepted(model, track_id):
    batch = {"listener": "me", "source": "extended-history", "origin": "x", "number": 0}
    uris = tuple(f"spotify:track:{one}" for one in (USUAL, track_id))

    read = model.model_validate_json(json.dumps({**batch, "plays": [a_play(uri) for uri in uris]}))

    assert tuple(play.track_uri for play in read.plays) == uris


@pytest.mark.parametrize("track_id", PLACEHOLDERS)
def test_queued_features_with_track_id_null_from_an_earlier_release_are_accepted(track_id):
    features = {"track_uri": f"spotify:track:{track_id}", "source": "a", "fetched_at": NOON}

    read = EnrichedBatch.model_validate({"origin": "x", "number": 0, "features": [features]})

    assert read.features[0].track_uri == features["track_uri"]


@pytest.mark.parametrize("track_id", [USUAL, *UNUSUAL])
def test_track_ids_that_are_not_22_base_62_digits_are_accepted(track_id):
    track_uri = f"spotify:track:{track_id}"

    assert FOREIGN_TRACK_URI.validate_python(track_uri) == track_uri


@pytest.mark.parametrize(
    "track_id", ["", "a,b", "a b", "a:b", "a\tb", "\0", "ü", "1" * 201, *PLACEHOLDERS]
)
def test_invalid_track_ids_are_refused(track_id):
    with pytest.raises(ValidationError):
        FOREIGN_TRACK_URI.validate_python(f"spotify:track:{track_id}")


@pytest.mark.parametrize("track_id", [*UNUSUAL, "1" * 21, "1" * 23, "1" * 21 + "-"])
def test_a_usual_track_id_has_exactly_22_base_62_digits(track_id):
    assert has_usual_id(f"spotify:track:{USUAL}")
    assert not has_usual_id(f"spotify:track:{track_id}")
