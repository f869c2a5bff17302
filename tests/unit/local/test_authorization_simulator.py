import hashlib
from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import pytest

from infra.local.simulators.account import CLIENT_ID
from infra.local.simulators.spotify import spotify
from tests.unit.local.conftest import RECENT, SpotifyApp

VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
REDIRECT = "http://127.0.0.1:8765/callback"
ASKED = {
    "client_id": CLIENT_ID,
    "response_type": "code",
    "redirect_uri": REDIRECT,
    "scope": "user-read-recently-played",
    "state": "S",
    "code_challenge_method": "S256",
    "code_challenge": CHALLENGE,
    "show_dialog": "true",
}


def authorize(app, **changes):
    return app.http.get("/authorize", query_string=ASKED | changes)


def redirected(answer):
    """Read where the browser was sent: the address, and its query."""
    target = urlsplit(answer.headers["Location"])
    query = {name: value for name, (value,) in parse_qs(target.query).items()}
    return target._replace(query="").geturl(), query


def exchange_a_code(app, **changes):
    _, query = redirected(authorize(app, auto="allow"))
    form = {
        "grant_type": "authorization_code",
        "code": query["code"],
        "redirect_uri": REDIRECT,
        "code_verifier": VERIFIER,
        "client_id": CLIENT_ID,
    }
    return app.http.post("/api/token", data=form | changes)


def test_the_consent_page_offers_an_allow_and_a_deny_link(silent):
    page = authorize(silent)

    assert page.status_code == 200
    assert "&amp;auto=allow" in page.text
    assert "&amp;auto=deny" in page.text


def test_consent_redirects_the_browser_with_a_code_and_the_state(silent):
    address, query = redirected(authorize(silent, auto="allow"))

    assert address == REDIRECT
    assert set(query) == {"code", "state"}
    assert query["state"] == "S"


def test_denied_consent_redirects_the_browser_with_access_denied(silent):
    answer = authorize(silent, auto="deny")

    assert redirected(answer) == (REDIRECT, {"error": "access_denied", "state": "S"})


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"client_id": "unknown"}, "INVALID_CLIENT: Invalid client"),
        ({"redirect_uri": "http://localhost:8765/callback"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://127.0.0.1:8765/call-back"}, "Invalid redirect URI"),
        ({"redirect_uri": "http://127.0.0.1.evil.example/callback"}, "Invalid redirect URI"),
        ({"redirect_uri": "https://127.0.0.1:8765/callback"}, "Invalid redirect URI"),
        ({"redirect_uri": f"{REDIRECT}?more=1"}, "Invalid redirect URI"),
        ({"response_type": "token"}, "response_type must be code"),
        ({"scope": "user-read-email"}, "INVALID_SCOPE: Invalid scope"),
        ({"code_challenge_method": "plain"}, "code_challenge_method must be S256"),
        ({"code_challenge": ""}, "code_challenge must be specified"),
    ],
    ids=[
        *("client", "localhost", "other path", "other host", "https", "query"),
        *("token", "scope", "plain", "no challenge"),
    ],
)
def test_a_bad_authorize_request_gets_a_400_page_and_no_redirect(silent, changes, fault):
    page = authorize(silent, auto="allow", **changes)

    assert page.status_code == 400
    assert fault in page.text


def test_a_code_is_exchanged_for_an_access_and_a_refresh_token(silent):
    answer = exchange_a_code(silent).json

    bearer = {"Authorization": f"Bearer {answer['access_token']}"}
    assert silent.http.get(RECENT, headers=bearer).status_code == 200
    assert silent.token(refresh_token=answer["refresh_token"]).status_code == 200


def test_a_refresh_token_is_still_valid_after_a_simulator_restart(silent, clock):
    token = exchange_a_code(silent).json["refresh_token"]

    restarted = SpotifyApp(spotify(clock))

    assert restarted.token(refresh_token=token).status_code == 200
    assert restarted.token(refresh_token=f"{token[:-1]}x").status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code": "unknown"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:8766/callback"}, "invalid_grant"),
        ({"code_verifier": "w" * 64}, "invalid_grant"),
        ({"client_id": "unknown"}, "invalid_client"),
    ],
    ids=["code", "redirect uri", "verifier", "client"],
)
def test_a_code_is_refused_if_the_token_request_differs_from_the_consent(silent, changes, error):
    answer = exchange_a_code(silent, **changes)

    assert (answer.status_code, answer.json["error"]) == (400, error)
