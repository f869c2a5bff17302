import pytest

from shared.errors import (
    SpotifyAuthError,
    SpotifyEndpointError,
    SpotifyError,
    SpotifyRateLimitError,
    SpotifyRequestError,
    SpotifyTokenError,
)
from shared.spotify.api import SpotifyApi, open_session
from tests.fakes.spotify import Reply, a_sound, a_spotify_server, a_track, json_reply

CALLS = pytest.mark.parametrize(
    ("ask", "name"),
    [(SpotifyApi.audio_features, "features"), (SpotifyApi.tracks, "tracks")],
    ids=["audio-features", "tracks"],
)


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        yield server


@pytest.fixture
def api(spotify):
    with open_session() as session:
        yield SpotifyApi(session, spotify.url)


def test_audio_features_are_fetched_in_one_call(api, spotify):
    rows = api.audio_features("BQ-1", ["a", "b"])

    (request,) = spotify.requests
    assert (request.path, request.query) == ("/v1/audio-features", {"ids": "a,b"})
    assert request.headers["Authorization"] == "Bearer BQ-1"
    assert rows == [a_sound("a"), a_sound("b")]


def test_tracks_are_fetched_in_one_call(api, spotify):
    rows = api.tracks("BQ-1", ["a", "b"])

    (request,) = spotify.requests
    assert (request.path, request.query) == ("/v1/tracks", {"ids": "a,b"})
    assert rows == [a_track("a"), a_track("b")]


@pytest.mark.parametrize("row", [None, "row", 5, []], ids=str)
def test_a_null_row_is_empty_and_keeps_its_place(api, spotify, row):
    spotify.features = [json_reply({"audio_features": [row, a_sound("b")]})]

    assert api.audio_features("BQ-1", ["a", "b"]) == [{}, a_sound("b")]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b'{"error":{"status":400,"message":"invalid id"}}', 400), SpotifyRequestError),
        (Reply(b'{"error":{"status":401,"message":"expired"}}', 401), SpotifyTokenError),
        (Reply(b'{"error":{"status":403}}', 403), SpotifyEndpointError),
        (Reply(b"Active premium subscription required.", 403), SpotifyAuthError),
        (Reply(b"Too many requests", 429), SpotifyRateLimitError),
        (Reply(b"<html>", 502), SpotifyError),
    ],
    ids=["bad id", "token", "no message", "plain text", "too many", "gateway"],
)
def test_each_refusal_has_its_error(api, spotify, reply, error):
    spotify.features = spotify.tracks = [reply]

    with pytest.raises(SpotifyError) as caught:
        api.tracks("BQ-1", ["a"])

    assert type(caught.value) is error


@CALLS
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"audio_features":{},"tracks":{}}'),
        *(b'{"audio_features":[],"tracks":[]}', b'{"audio_features":[{},{}],"tracks":[{},{}]}'),
    ],
    ids=["empty", "bytes", "list", "no rows", "deep", "object", "too few", "too many"],
)
def test_an_answer_needs_one_row_per_id(api, spotify, ask, name, body):
    setattr(spotify, name, [Reply(body)])

    with pytest.raises(SpotifyError):
        ask(api, "BQ-1", ["a"])
