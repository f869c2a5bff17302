"""A placeholder is no track id, wherever one may come from."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.models import EnrichedBatch, PlayBatch, TrackUri
from shared.spotify_wire import read_recently_played

NOON = "2026-11-01T12:00:00Z"
PLACEHOLDERS = pytest.mark.parametrize(
    "track_id", ["null", "NULL", "undefined", "Undefined", "None", "none", "nan", "NaN", ""]
)
TRACK_URI = TypeAdapter(TrackUri)


def a_play(track_uri):
    return {"track_uri": track_uri, "track_name": "a", "artist_name": "b", "played_at": NOON}


@PLACEHOLDERS
def test_a_placeholder_is_no_id_in_a_message_of_plays(track_id):
    batch = {"listener": "me", "source": "extended-history", "origin": "x", "number": 0}
    plays = [a_play(f"spotify:track:{track_id}")]

    with pytest.raises(ValidationError, match="track_uri"):
        PlayBatch.model_validate({**batch, "plays": plays})


@PLACEHOLDERS
def test_a_placeholder_is_no_id_in_a_message_of_features(track_id):
    features = {"track_uri": f"spotify:track:{track_id}", "source": "a", "fetched_at": NOON}

    with pytest.raises(ValidationError, match="track_uri"):
        EnrichedBatch.model_validate({"origin": "x", "number": 0, "features": [features]})


@PLACEHOLDERS
def test_a_row_of_the_api_with_a_placeholder_is_unreadable(track_id):
    tracks = [{"uri": f"spotify:track:{one}", "name": "a"} for one in (track_id, "1" * 22)]
    page = {"items": [{"played_at": NOON, "track": track} for track in tracks]}

    answer = read_recently_played(json.dumps(page).encode())

    assert (len(answer.plays), len(answer.unreadable)) == (1, 1)


@pytest.mark.parametrize(
    "track_id", ["1AAAAAAAAAAAAAAAAAAAAA", "a", "nullable", "anull", "1" * 64, "noneNULLnan"]
)
def test_what_only_looks_odd_is_an_id(track_id):
    assert TRACK_URI.validate_python(f"spotify:track:{track_id}") == f"spotify:track:{track_id}"
