import hashlib
from base64 import urlsafe_b64decode
from urllib.parse import parse_qs, urlsplit

import pytest

from cli.login.consent import Answer, Question, redirect_uri

ACCOUNTS = "https://accounts.spotify.com"


@pytest.fixture
def question():
    return Question(redirect_uri(8765))


def asked(question, **options):
    address = question.address(ACCOUNTS, "app", **{"show_dialog": False, **options})
    return {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}


def test_the_consent_page_is_asked_for_one_right_by_pkce(question):
    address = urlsplit(question.address(f"{ACCOUNTS}/", "app", show_dialog=True))
    query = asked(question, show_dialog=True)

    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{ACCOUNTS}/authorize"
    assert query == {
        "client_id": "app",
        "response_type": "code",
        "redirect_uri": "http://127.0.0.1:8765/callback",
        "scope": "user-read-recently-played",
        "state": question.state,
        "code_challenge_method": "S256",
        "code_challenge": query["code_challenge"],
        "show_dialog": "true",
    }


def test_the_challenge_is_the_hash_of_the_verifier_and_does_not_tell_it(question):
    challenge = asked(question)["code_challenge"]

    assert urlsafe_b64decode(challenge + "=") == hashlib.sha256(question.verifier.encode()).digest()
    # RFC 7636 wants 43 to 128 characters.
    assert 43 <= len(question.verifier) <= 128
    assert question.verifier not in question.address(ACCOUNTS, "app", show_dialog=False)


def test_no_two_questions_share_their_secrets_and_none_shows_them(question):
    other = Question(redirect_uri(8765))

    assert len({question.state, question.verifier, other.state, other.verifier}) == 4
    assert question.state not in repr(question)
    assert question.verifier not in repr(question)


def test_a_code_is_not_shown():
    assert "AQC" not in repr(Answer(code="AQC"))


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        pytest.param("code=AQC-1&state=S", Answer(code="AQC-1"), id="yes"),
        pytest.param("error=access_denied&state=S", Answer(error="access_denied"), id="no"),
        pytest.param("error=%1b[31m&state=S", Answer(error="no reason given"), id="odd words"),
        pytest.param("state=S", Answer(error="no reason given"), id="neither"),
        pytest.param("code=AQC-1&state=T", None, id="another login's"),
        pytest.param("code=AQC-1&state=%C3%BC", None, id="no ASCII"),
        pytest.param("code=AQC-1", None, id="no state"),
        pytest.param("error=access_denied", None, id="a no of nobody"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_an_answer_counts_if_it_has_the_state_of_its_question(query, answer):
    question = Question(redirect_uri(8765), state="S")

    assert question.read(query) == answer


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("http://127.0.0.1:8765/callback?code=AQC-1&state=S", Answer(code="AQC-1")),
        ("  http://127.0.0.1:8765/callback?code=AQC-1&state=S#_=_\r", Answer(code="AQC-1")),
        ("http://127.0.0.1:8765/callback?code=AQC-1", None),
        ("AQC-1", None),
        ("http://[", None),
    ],
    ids=["whole", "with what clings to it", "cut off", "the code alone", "no address"],
)
def test_a_pasted_address_is_read_as_the_browser_s_own_request_is(line, answer):
    question = Question(redirect_uri(8765), state="S")

    assert question.read_address(line) == answer
