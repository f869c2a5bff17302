import hashlib
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.login.pkce import ConsentAnswer, ConsentRequest, redirect_uri

ACCOUNTS = "https://accounts.spotify.com"


@pytest.fixture
def consent_request():
    return ConsentRequest(redirect_uri(8765))


def query_of(consent_request, **options):
    url = consent_request.url(ACCOUNTS, "app", **{"show_dialog": False, **options})
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def test_the_consent_url_requests_one_scope_with_pkce(consent_request):
    url = urlsplit(consent_request.url(f"{ACCOUNTS}/", "app", show_dialog=True))
    query = query_of(consent_request, show_dialog=True)

    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{ACCOUNTS}/authorize"
    assert query == {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:8765/callback",
        "scope": "user-read-recently-played",
        "state": consent_request.state,
        "code_challenge_method": "S256",
        "code_challenge": query["code_challenge"],
        "show_dialog": "true",
    }


def test_the_challenge_is_the_sha256_of_the_verifier(consent_request):
    challenge = query_of(consent_request)["code_challenge"]

    assert (
        urlsafe_b64decode(challenge + "=")
        == hashlib.sha256(consent_request.verifier.encode()).digest()
    )
    # RFC 7636 requires 43 to 128 characters.
    assert 43 <= len(consent_request.verifier) <= 128
    assert consent_request.verifier not in consent_request.url(ACCOUNTS, "app", show_dialog=False)


def test_state_and_verifier_are_random_and_not_in_the_repr(consent_request):
    other = ConsentRequest(redirect_uri(8765))

    assert len({consent_request.state, consent_request.verifier, other.state, other.verifier}) == 4
    assert consent_request.state not in repr(consent_request)
    assert consent_request.verifier not in repr(consent_request)


def test_the_authorization_code_is_not_in_the_repr():
    assert "AQC" not in repr(ConsentAnswer(code="AQC"))


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        pytest.param("code=AQC-1&state=S", ConsentAnswer(code="AQC-1"), id="yes"),
        pytest.param("error=access_denied&state=S", ConsentAnswer(error="access_denied"), id="no"),
        pytest.param(
            "error=%1b[31m&state=S", ConsentAnswer(error="no reason given"), id="control characters"
        ),
        pytest.param("state=S", ConsentAnswer(error="no reason given"), id="neither"),
        pytest.param("code=AQC-1&state=T", None, id="another login"),
        pytest.param("code=AQC-1&state=%C3%BC", None, id="not ASCII"),
        pytest.param("code=AQC-1", None, id="no state"),
        pytest.param("error=access_denied", None, id="no without a state"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_an_answer_without_the_requests_state_is_ignored(query, answer):
    consent_request = ConsentRequest(redirect_uri(8765), state="S")

    assert consent_request.read(query) == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("http://127.0.0.1:8765/callback?code=AQC-1&state=S", ConsentAnswer(code="AQC-1")),
        ("  http://127.0.0.1:8765/callback?code=AQC-1&state=S#_=_\r", ConsentAnswer(code="AQC-1")),
        ("http://127.0.0.1:8765/callback?code=AQC-1", None),
        ("AQC-1", None),
        ("http://[", None),
    ],
    ids=["whole", "with a fragment", "cut off", "only the code", "not a URL"],
)
def test_a_pasted_url_is_read_like_a_redirect(line, answer):
    consent_request = ConsentRequest(redirect_uri(8765), state="S")

    assert consent_request.read_url(line) == answer
