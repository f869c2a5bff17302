"""What the simulator answers, and what we ask, against Spotify's own description of both."""

import json
from base64 import b64decode
from functools import cache
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.exceptions import OpenAPIError
from werkzeug import Response

from infra.local import catalogue
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from tests.unit.local import spotify_description
from tests.unit.simulated import simulators

pytestmark = pytest.mark.skipif(
    not spotify_description.PATH.exists(),
    reason=f"no description of the web API at {spotify_description.PATH}: name one by "
    "SPOTIFY_OPENAPI (sonallux/spotify-web-api on GitHub, fixed-spotify-open-api.yml)",
)

UNKNOWN = "1AAAAAAAAAAAAAAAAAAAAA"
KNOWN = catalogue.track(1).track_id
MANY = ",".join([UNKNOWN, *(catalogue.track(number).track_id for number in range(49))])
WINDOW = "/v1/me/player/recently-played"

as_is = cache(spotify_description.load)


@cache
def described(app):
    return spotify_description.mended(as_is(), app)


def check(answer, app="normal"):
    """Check an answer of the simulator, and the request that it answers."""
    request = WerkzeugOpenAPIRequest(answer.request)
    described(app).validate_request(request)
    described(app).validate_response(request, WerkzeugOpenAPIResponse(answer))


# The simulator's answers


@pytest.mark.parametrize("app", ["normal", "new-app", "old-app"])
@pytest.mark.parametrize(
    "path", [f"{WINDOW}?limit=50", f"{WINDOW}?limit=1&before=1", f"/v1/tracks/{KNOWN}"]
)
def test_plays_and_tracks_are_as_described(listening, app, path):
    listening.scenario(app)

    answer = listening.get(path)

    assert answer.status_code == 200
    check(answer, app)


@pytest.mark.parametrize(
    "path",
    [f"/v1/audio-features/{KNOWN}", f"/v1/audio-features?ids={MANY}", f"/v1/tracks?ids={MANY}"],
)
def test_what_a_legacy_app_may_ask_is_as_described(listening, path):
    listening.scenario("legacy-app")

    answer = listening.get(path)

    assert answer.status_code == 200
    check(answer, "old-app")


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [
        ("normal", f"{WINDOW}?after=1&before=2", 400),
        ("access-token-refused", WINDOW, 401),
        ("normal", f"/v1/audio-features/{KNOWN}", 403),
        ("normal", f"/v1/tracks?ids={MANY}", 403),
        ("forbidden", WINDOW, 403),
        ("no-premium", WINDOW, 403),
        ("not-registered", WINDOW, 403),
        ("normal", f"/v1/tracks/{UNKNOWN}", 404),
        ("deleted-tracks", f"/v1/tracks/{KNOWN}", 404),
        ("rate-limited", WINDOW, 429),
        ("rate-limited-without-header", WINDOW, 429),
        ("rate-limited-in-plain-text", WINDOW, 429),
        ("quota-exceeded", WINDOW, 429),
        ("bad-gateway", WINDOW, 502),
        ("unavailable", WINDOW, 503),
    ],
)
def test_refusals_are_as_described(listening, name, path, status):
    listening.scenario(name)

    answer = listening.get(path)

    assert answer.status_code == status
    check(answer)


@pytest.mark.parametrize(
    "name", ["shrunken-window", "empty-window", "doubled-plays", "moved-plays", "no-context"]
)
def test_odd_windows_are_as_described(listening, name):
    listening.scenario(name)

    check(listening.get(WINDOW))


def with_value(body, path, value):
    *way, last = path
    inner = body
    for step in way:
        inner = inner[step]
    inner[last] = value


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        pytest.param(["items"], {}, id="no list"),
        pytest.param(["limit"], "50", id="text for a number"),
        pytest.param(["next"], 1, id="number for a text"),
        pytest.param(["cursors", "after"], 1, id="cursor as a number"),
        pytest.param(["total"], 50, id="undocumented or absent"),
        pytest.param(["items", 0, "played_at"], "yesterday", id="no instant"),
        pytest.param(["items", 0, "played_at"], "2026-11-23T08:00:00", id="no zone"),
        pytest.param(["items", 0, "track"], None, id="null"),
        pytest.param(["items", 0, "track"], {}, id="fields missing"),
        pytest.param(["items", 0, "track", "type"], "song", id="unknown word"),
        pytest.param(["items", 0, "track", "popularity"], 7, id="field of an old app"),
        pytest.param(["items", 0, "track", "trackName"], "x", id="name of our own"),
        pytest.param(["items", 0, "track", "album", "genre"], "x", id="within a composed object"),
        pytest.param(["items", 0, "track", "artists", 0, "name"], 1, id="in a list"),
    ],
)
def test_a_fault_in_a_window_is_found(listening, path, wrong):
    answer = listening.get(WINDOW)
    body = answer.json
    with_value(body, path, wrong)

    with pytest.raises(OpenAPIError):
        described("normal").validate_response(
            WerkzeugOpenAPIRequest(answer.request),
            WerkzeugOpenAPIResponse(Response(json.dumps(body), mimetype="application/json")),
        )


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("key", 12),
        ("mode", 0.5),
        ("valence", 1.1),
        ("time_signature", 0),
        ("bars", 4),
        ("uri", None),
    ],
)
def test_a_fault_in_features_is_found(listening, field, wrong):
    listening.scenario("legacy-app")
    answer = listening.get(f"/v1/audio-features?ids={KNOWN}")
    body = answer.json
    body["audio_features"][0][field] = wrong

    with pytest.raises(OpenAPIError):
        described("old-app").validate_response(
            WerkzeugOpenAPIRequest(answer.request),
            WerkzeugOpenAPIResponse(Response(json.dumps(body), mimetype="application/json")),
        )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (403, {"error": "invalid_grant", "error_description": "Refresh token revoked"}),
        (403, {"error": {"message": "Forbidden"}}),
        (429, {"error": {"status": 429, "message": "Too many requests", "code": 1}}),
        (418, {"error": {"status": 418, "message": "I am a teapot"}}),
    ],
)
def test_a_fault_in_a_refusal_is_found(listening, status, body):
    request = WerkzeugOpenAPIRequest(listening.get(WINDOW).request)
    answer = Response(json.dumps(body), status, mimetype="application/json")

    with pytest.raises(OpenAPIError):
        described("normal").validate_response(request, WerkzeugOpenAPIResponse(answer))


# Our requests


@pytest.fixture
def simulated():
    with simulators(frozen=False) as running:
        yield running


@pytest.fixture
def sent():
    """The answers to the requests that went through the session, in their order."""
    return []


@pytest.fixture
def session(sent):
    with open_session() as session:
        session.hooks["response"].append(lambda answer, **_: sent.append(answer))
        yield session


def check_exchange(answer, app="normal"):
    """Check that a request and its answer are described."""
    request = RequestsOpenAPIRequest(answer.request)
    understood = described(app).unmarshal_request(request).parameters.query
    described(app).validate_response(request, RequestsOpenAPIResponse(answer))
    assert set(parse_qs(urlsplit(answer.request.url).query)) <= set(understood)


def test_a_poll_is_asked_and_answered_as_described(simulated, session, sent):
    grant = SpotifyAccounts(session, simulated.spotify_url).refresh(
        CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
    )

    page = SpotifyApi(session, simulated.spotify_url).recently_played(grant.access_token)

    check_exchange(sent[1])
    played = catalogue.find_track(page.plays[0].track_uri.rpartition(":")[2])
    assert (len(page.plays), page.unreadable) == (50, ())
    assert (page.plays[0].track_name, page.plays[0].isrc) == (played.name, played.isrc)


@pytest.mark.parametrize("call", [SpotifyApi.audio_features, SpotifyApi.tracks])
def test_features_are_asked_for_and_answered_as_described(simulated, session, sent, call):
    simulated.scenario("legacy-app")
    accounts = SpotifyAccounts(session, simulated.spotify_url)
    grant = accounts.client_credentials(CLIENT_ID, CLIENT_SECRET)

    rows = call(SpotifyApi(session, simulated.spotify_url), grant.access_token, [KNOWN, UNKNOWN])

    check_exchange(sent[1], "old-app")
    assert (rows[0]["id"], rows[1]) == (KNOWN, {})


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        pytest.param("limit=51", {"Authorization": "Bearer x"}, id="too many plays"),
        pytest.param("limit=many", {"Authorization": "Bearer x"}, id="no number"),
        pytest.param("limit=50", {}, id="no token"),
        pytest.param("limit=50", {"Authorization": "Basic eDp5"}, id="no bearer token"),
    ],
)
def test_a_fault_in_a_request_is_found(query, headers):
    asked = requests.Request("GET", f"http://127.0.0.1{WINDOW}?{query}", headers=headers)

    with pytest.raises(OpenAPIError):
        described("normal").validate_request(RequestsOpenAPIRequest(asked))


def test_an_undescribed_request_is_found(simulated, session, sent):
    session.get(f"{simulated.spotify_url}{WINDOW}?size=50", headers={"Authorization": "Bearer x"})

    with pytest.raises(AssertionError):
        check_exchange(sent[0])


@pytest.mark.parametrize(
    ("secret", "form"),
    [
        pytest.param(CLIENT_SECRET, {}, id="with a secret"),
        pytest.param("", {"client_id": [CLIENT_ID]}, id="by PKCE"),
    ],
)
def test_a_token_is_asked_where_and_as_oauth_has_it(simulated, session, sent, secret, form):
    flow = as_is()["components"]["securitySchemes"]["oauth_2_0"]["flows"]["authorizationCode"]
    SpotifyAccounts(session, simulated.spotify_url).refresh(CLIENT_ID, secret, REFRESH_TOKEN)

    request = sent[0].request

    assert urlsplit(request.url).path == urlsplit(flow["tokenUrl"]).path
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body) == {
        "grant_type": ["refresh_token"],
        "refresh_token": [REFRESH_TOKEN],
        **form,
    }
    basic = request.headers.get("Authorization", "Basic ").removeprefix("Basic ")
    assert b64decode(basic).decode() == (f"{CLIENT_ID}:{secret}" if secret else "")
    assert sent[0].json()["scope"] in flow["scopes"]
