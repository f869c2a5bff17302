"""The answers about several tracks: one row for each id."""

import pytest

from shared.errors import SpotifyError
from shared.spotify.api import SpotifyApi
from tests.fakes.spotify import Reply, a_sound, a_track, json_reply

CALLS = pytest.mark.parametrize(
    ("ask", "path", "rows"),
    [
        (SpotifyApi.audio_features, "/v1/audio-features", [a_sound("a"), a_sound("b")]),
        (SpotifyApi.tracks, "/v1/tracks", [a_track("a"), a_track("b")]),
    ],
    ids=["audio-features", "tracks"],
)


@pytest.fixture
def api(spotify, session):
    return SpotifyApi(session, spotify.url)


@CALLS
def test_several_tracks_are_fetched_in_one_call(api, spotify, ask, path, rows):
    found = ask(api, "BQ-1", ["a", "b"])

    (request,) = spotify.requests
    assert (request.path, request.query) == (path, {"ids": "a,b"})
    assert request.headers["Authorization"] == "Bearer BQ-1"
    assert found == rows


@pytest.mark.parametrize("row", [None, "row", 5, []], ids=str)
def test_a_row_that_is_not_an_object_is_returned_as_an_empty_one(api, spotify, row):
    spotify.features = [json_reply({"audio_features": [row, a_sound("b")]})]

    assert api.audio_features("BQ-1", ["a", "b"]) == [{}, a_sound("b")]


@CALLS
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"audio_features":{},"tracks":{}}'),
        *(b'{"audio_features":[],"tracks":[]}', b'{"audio_features":[{},{}],"tracks":[{},{}]}'),
    ],
    ids=["empty", "bytes", "list", "no rows", "deep", "object", "too few", "too many"],
)
def test_a_response_without_one_row_per_id_is_an_error(api, spotify, ask, path, rows, body):  # noqa: PLR0917 - a table
    spotify.features = spotify.tracks = [Reply(body)]

    with pytest.raises(SpotifyError):
        ask(api, "BQ-1", ["a"])
