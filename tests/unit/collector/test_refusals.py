"""Every kind of answer of Spotify, and its effects on a poll.

The forms that a refusal may have are in `tests/unit/shared/spotify`.

Each case comes between two good polls. It must lose no play, make no unwanted call, and reveal no
secret.
"""

import traceback
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import SpotifyError, SpotifyTokenError
from shared.models import iso
from shared.telemetry import logger
from tests.fakes.spotify import PLAYED, TOKEN, Reply, a_grant, a_page, a_row, json_reply
from tests.unit.collector.capture import START


def ago(minutes: float, **track: Any) -> dict[str, Any]:
    return a_row(iso(START - timedelta(minutes=minutes)), name=f"T{minutes}", **track)


def oauth_error(code: str, description: str, status: int = 400) -> Reply:
    return json_reply({"error": code, "error_description": description}, status)


def api_error(status: int, **more: str) -> Reply:
    return json_reply({"error": {"status": status, **more}}, status)


def with_wait(reply: Reply, seconds: int) -> Reply:
    return Reply(reply.body, reply.status, {"Retry-After": str(seconds)})


APP = {"client_secret": "s-hidden"}
GOOD = a_grant("BQ-hidden-2")
QUOTA = api_error(429, message="Too many requests", reason="QUOTA_EXCEEDED")
PREMIUM = Reply(
    b"Active premium subscription required for the owner of the app. When the subscription status "
    b"changes, it can take a few hours before requests are allowed again.",
    403,
)


@dataclass(frozen=True)
class Case:
    """One answer of Spotify, and its expected effects."""

    token: Reply = GOOD
    page: Reply = field(default_factory=lambda: a_page(ago(5), ago(9)))
    status: str = "polled"
    calls: tuple[str, ...] = (TOKEN, PLAYED)
    """Of the poll that meets it."""
    next_calls: tuple[str, ...] = (PLAYED,)
    """Of the poll that follows at once."""
    published: frozenset[str] = frozenset({"T5"})
    """Of the poll that meets it."""


NOTHING = frozenset[str]()
BLOCKED: dict[str, Any] = {"status": "blocked", "next_calls": (), "published": NOTHING}
FAILED: dict[str, Any] = {"status": "failed", "published": NOTHING}
NO_TOKEN: dict[str, Any] = {"calls": (TOKEN,), "next_calls": (TOKEN, PLAYED)}
FORBIDDEN: dict[str, Any] = {"status": "forbidden", "next_calls": (), "published": NOTHING}
DEAD: dict[str, Any] = {
    "status": "needs-login",
    "calls": (TOKEN,),
    "next_calls": (),
    "published": NOTHING,
}
RENEWED = (TOKEN, PLAYED, TOKEN, PLAYED)

CASES = {
    # Answers of the accounts service
    "token without a new refresh token": Case(),
    "token with a new refresh token": Case(token=a_grant("BQ-hidden-2", rotated_to="AQ-hidden-2")),
    "token that expires at once": Case(token=a_grant("BQ-hidden-2", expires_in=0)),
    "token within its margin": Case(
        token=a_grant("BQ-hidden-2", expires_in=60), next_calls=(TOKEN, PLAYED)
    ),
    "grant revoked": Case(oauth_error("invalid_grant", "Refresh token revoked"), **DEAD),
    "grant refused with its token": Case(oauth_error("invalid_grant", "AQ-hidden"), **DEAD),
    "app unknown": Case(
        oauth_error("invalid_client", "Invalid client"), **FORBIDDEN | {"calls": (TOKEN,)}
    ),
    "app secret wrong": Case(
        oauth_error("invalid_client", "Invalid client secret s-hidden"),
        **FORBIDDEN | {"calls": (TOKEN,)},
    ),
    "accounts 503": Case(Reply(b"upstream connect error", 503), **FAILED | NO_TOKEN),
    "accounts 200 without a token": Case(json_reply({"scope": "AQ-hidden"}), **FAILED | NO_TOKEN),
    "accounts 429": Case(Reply(b"", 429, {"Retry-After": "5"}), **BLOCKED | {"calls": (TOKEN,)}),
    "accounts 203 with tokens": Case(
        json_reply({"access_token": "BQ-hidden", "refresh_token": "AQ-hidden"}, 203),
        **FAILED | NO_TOKEN,
    ),
    "accounts 500 with tokens": Case(Reply(b"BQ-hidden AQ-hidden", 500), **FAILED | NO_TOKEN),
    "token without a lifetime": Case(token=json_reply({"access_token": "BQ-hidden-2"})),
    # Refusals of the API
    "401 expired token": Case(
        page=api_error(401, message="The access token expired"), calls=RENEWED
    ),
    "403 owner without Premium": Case(page=PREMIUM, **FORBIDDEN),
    "403 with the token": Case(page=Reply(b"no BQ-hidden-2", 403), **FORBIDDEN),
    "403 QUOTA_EXCEEDED": Case(page=Reply(QUOTA.body, 403), **BLOCKED),
    "429 Retry-After 5": Case(
        page=with_wait(api_error(429, message="API rate limit exceeded"), 5), **BLOCKED
    ),
    "429 without Retry-After": Case(page=api_error(429), **BLOCKED),
    "429 QUOTA_EXCEEDED": Case(page=with_wait(QUOTA, 52_531), **BLOCKED),
    "502": Case(page=Reply(b"<html>Bad Gateway</html>", 502), **FAILED),
    "503": Case(page=api_error(503, message="Service unavailable"), **FAILED),
    "200 of another shape": Case(page=json_reply({"message": "BQ-hidden-2"}), **FAILED),
    # Answers of the API
    "context null": Case(page=a_page(ago(5) | {"context": None}, ago(9))),
    "track null": Case(page=a_page(ago(5), ago(7) | {"track": None}, ago(9))),
    "id null": Case(page=a_page(ago(5, id=None), ago(9))),
    "local file": Case(
        page=a_page(ago(5), ago(7, id=None, is_local=True, uri="spotify:local:::A:1"), ago(9))
    ),
    "popularity and ISRC left out": Case(page=a_page(ago(5, external_ids={}), ago(9))),
    "with popularity": Case(page=a_page(ago(5, popularity=70), ago(9))),
    "late": Case(page=a_page(ago(9), ago(20)), published=frozenset({"T20"})),
    "twice": Case(page=a_page(ago(5), ago(5), ago(9), ago(9))),
    "empty": Case(page=a_page(), published=NOTHING),
}


KINDS = {
    "polled": None,
    "failed": "failed",
    "blocked": "throttled",
    "forbidden": "forbidden",
    "needs-login": "login-refused",
}
"""The kind of the saved error after each status."""


@pytest.fixture
def output() -> list[str]:
    """What people see of the polls, except the logs."""
    return []


def poll(capture, output: list[str]) -> str:
    """Poll, record the outcome or the error, and return the status."""
    try:
        outcome = capture.poll()
    except SpotifyError as error:
        output += traceback.format_exception(error)
        return "failed"
    output.append(f"{outcome} {capture.metrics()}")
    return outcome.status


def received(capture) -> list[str]:
    return [play.track_name for batch in capture.received() for play in batch.plays]


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request, capture, spotify, output):
    """A prepared case, in a container without an access token."""
    # Every secret of these cases contains `hidden`.
    capture.log_in("AQ-hidden", **APP)
    spotify.tokens, spotify.pages = [a_grant("BQ-hidden")], [a_page(ago(9))]
    poll(capture, output)
    assert received(capture) == ["T9"]
    capture.restart()
    spotify.requests.clear()
    spotify.tokens = [request.param.token, GOOD]
    spotify.pages = [request.param.page, a_page(ago(5), ago(9))]
    return request.param


def recover(spotify) -> None:
    """Let Spotify answer normally."""
    spotify.tokens, spotify.pages = [GOOD], [a_page(ago(1), ago(5), ago(9), ago(20))]


def test_poll_status_and_plays_match_the_case_table_for_each_spotify_response(
    capture, spotify, output, case
):
    status = poll(capture, output)

    error = capture.state().last_error
    assert (status, tuple(spotify.paths)) == (case.status, case.calls)
    assert (error and error.kind) == KINDS[status]
    assert case.published <= set(received(capture)) <= {"T1", "T5", "T20"}


def test_the_poll_after_a_refusal_makes_only_the_calls_in_the_case_table(
    capture, spotify, output, case
):
    poll(capture, output)
    recover(spotify)
    spotify.requests.clear()

    poll(capture, output)

    assert tuple(spotify.paths) == case.next_calls


def log_in_again(capture, spotify) -> None:
    """Let the rate limit end and the listener log in, and let Spotify answer normally."""
    recover(spotify)
    capture.end_rate_limits()
    capture.pass_time(seconds=1)
    capture.log_in("AQ-hidden-3", authorized_at=iso(capture.now), **APP)


def test_the_next_successful_poll_after_a_refusal_publishes_every_play(
    capture, spotify, output, case
):
    poll(capture, output)
    log_in_again(capture, spotify)

    status = poll(capture, output)

    assert status == "polled"
    assert sorted(received(capture)) == ["T1", "T20", "T5"]
    assert capture.state().last_error is None


def test_no_secret_reaches_logs_errors_or_the_listener_state(
    capture, spotify, output, case, caplog
):
    poll(capture, output)
    state = capture.state()
    log_in_again(capture, spotify)
    poll(capture, output)

    (handler,) = logger.handlers
    logged = [f"{vars(record)} {handler.format(record)}" for record in caplog.records]
    text = f"{output} {logged} {state}"
    assert all(word in text for word in ("polled", "SpotifyThrottled", "covered_until"))
    assert "hidden" not in text


def test_no_refusal_deletes_the_stored_login(capture, output, case):
    before = capture.login()

    poll(capture, output)

    after = capture.login()
    assert after.authorized_at == before.authorized_at
    assert after.refresh_token in {"AQ-hidden", "AQ-hidden-2"}


def test_an_access_token_rejected_twice_fails_the_poll(capture, spotify):
    spotify.tokens, spotify.pages = [GOOD], [api_error(401, message="Invalid access token")]

    with pytest.raises(SpotifyTokenError):
        capture.poll()

    assert spotify.paths == list(RENEWED)
