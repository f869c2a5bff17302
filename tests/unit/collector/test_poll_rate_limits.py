"""Rate limits: who must not call, for how long, and who may call first afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.collector.handler import wire
from shared.aws import client
from shared.spotify.rate_limits import AppState, SpotifyApps
from tests.unit.collector.conftest import APPS
from tests.unit.spotify_server import Reply, a_grant, a_page, a_row, json_reply

PLAYED = "/v1/me/player/recently-played"
TOKEN = "/api/token"  # noqa: S105 - a path, not a password
BUSY = Reply(b"Too many requests", 429, {"Retry-After": "52531"})


@pytest.fixture
def family(pipeline):
    """Two listeners of one app, and one of another."""
    for listener, app in {"you": "app", "they": "other-app"}.items():
        client("secretsmanager").create_secret(Name=f"plays/listener/{listener}")
        pipeline.log_in(f"AQ-{listener}", listener=listener, client_id=app)
    return pipeline


def wait_of(state: AppState) -> timedelta:
    assert state.blocked_until is not None
    return state.blocked_until - datetime.now(UTC)


def about(**span: float) -> Any:
    return pytest.approx(timedelta(**span), abs=timedelta(seconds=5))


def test_429_stops_polls_for_its_retry_after(pipeline, spotify):
    spotify.pages = [BUSY]

    outcomes = [pipeline.poll(), pipeline.poll()]

    assert [outcome["status"] for outcome in outcomes] == ["blocked", "blocked"]
    assert outcomes[0]["blocked_until"] == outcomes[1]["blocked_until"]
    assert wait_of(pipeline.app()) == about(seconds=52_531)
    assert spotify.paths == [TOKEN, PLAYED]
    measured = pipeline.metrics()
    assert measured["SpotifyThrottled"] == [1]
    assert measured["TokenDaysLeft"] == pytest.approx([150], abs=0.01)
    assert pipeline.published() == []


def test_a_wait_starts_at_the_refusal(pipeline, spotify):
    spotify.pages = [Reply(b"", 429, {"Retry-After": "5"})]
    collector = wire()
    began = datetime.now(UTC)
    instants = iter([began, began + timedelta(seconds=12)])
    collector._clock = lambda: next(instants)  # noqa: SLF001 - simulates a slow Spotify

    until = collector.poll("me").blocked_until

    assert until is not None
    assert until >= began + timedelta(seconds=17)


def test_429_of_the_token_endpoint_stops_polls(pipeline, spotify):
    spotify.tokens = [BUSY]

    outcomes = [pipeline.poll(), pipeline.poll()]

    assert [outcome["status"] for outcome in outcomes] == ["blocked", "blocked"]
    assert spotify.paths == [TOKEN]
    assert pipeline.state()["needs_login"] is None


def test_a_used_up_quota_stops_polls_for_five_hours(pipeline, spotify):
    spotify.pages = [json_reply({"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}}, 429)]

    pipeline.poll()

    assert wait_of(pipeline.app()) == about(hours=5)


def test_429_without_a_wait_doubles_the_last_wait(pipeline, spotify):
    spotify.pages = [Reply(b"Too many requests", 429)]
    pipeline.poll()
    first = wait_of(pipeline.app())
    pipeline.end_the_rate_limit()

    pipeline.poll()

    assert (first, wait_of(pipeline.app())) == (about(minutes=1), about(minutes=2))


def test_an_answer_ends_the_rate_limit(pipeline, spotify):
    spotify.pages = [BUSY, a_page(a_row())]
    pipeline.poll()
    pipeline.end_the_rate_limit()

    outcome = pipeline.poll()

    assert (outcome["status"], outcome["new"]) == ("polled", 1)
    assert pipeline.app() == AppState()


def test_another_429_does_not_end_the_rate_limit(pipeline, spotify):
    spotify.pages = [BUSY, Reply(b"Too many requests", 429)]
    pipeline.poll()
    pipeline.end_the_rate_limit()

    outcome = pipeline.poll()

    assert outcome["status"] == "blocked"
    assert pipeline.app().refusals == 2


def test_a_poll_without_a_rate_limit_does_not_write_it(pipeline, spotify):
    pipeline.poll()

    assert client("dynamodb").scan(TableName=APPS)["Items"] == []


def test_listeners_of_one_app_share_a_rate_limit(family, spotify):
    spotify.pages = [BUSY, a_page(a_row())]
    family.poll("me")
    calls = len(spotify.requests)

    outcomes = {listener: family.poll(listener)["status"] for listener in ("me", "you", "they")}

    assert outcomes == {"me": "blocked", "you": "blocked", "they": "polled"}
    assert len(spotify.requests) == calls + 2


def test_an_answer_to_one_listener_ends_the_rate_limit_of_all(family, spotify):
    spotify.pages = [BUSY, a_page(a_row())]
    family.poll("me")
    family.end_the_rate_limit()
    family.poll("you")

    assert family.poll("me")["status"] == "polled"


def test_a_login_with_another_app_leaves_the_old_rate_limit(pipeline, spotify):
    spotify.pages = [BUSY, a_page(a_row())]
    pipeline.poll()
    pipeline.log_in("AQ-2", client_id="other-app")

    outcome = pipeline.poll()

    assert outcome["status"] == "polled"
    assert pipeline.app().refusals == 1


def test_the_rate_limit_of_another_function_stops_polls(pipeline, spotify):
    SpotifyApps(client("dynamodb"), APPS).throttle("app", 60, datetime.now(UTC))

    assert pipeline.poll()["status"] == "blocked"
    assert spotify.requests == []


def test_polls_call_first_after_a_rate_limit(pipeline, spotify):
    spotify.pages = [BUSY, a_page(a_row())]
    pipeline.poll()
    pipeline.end_the_rate_limit()
    before = pipeline.app().is_blocked_for_others(datetime.now(UTC))

    pipeline.poll()

    after = pipeline.app().is_blocked_for_others(datetime.now(UTC))
    assert (before, after) == (True, False)


def test_a_refused_login_shows_during_a_rate_limit(pipeline, spotify):
    spotify.tokens = [Reply(b'{"error": "invalid_grant"}', 400), a_grant()]
    pipeline.poll()
    SpotifyApps(client("dynamodb"), APPS).throttle("app", 60, datetime.now(UTC))

    outcome = pipeline.poll()

    assert outcome["status"] == "blocked"
    assert pipeline.metrics()["TokenDaysLeft"] == [0]
