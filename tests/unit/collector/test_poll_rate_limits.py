"""Rate limits: who must not call, for how long, and who may call first afterwards."""

from datetime import timedelta

import pytest

from shared.spotify.rate_limits import AppState, SpotifyApps
from tests.fakes.spotify import PLAYED, TOKEN, Reply, a_grant, json_reply
from tests.unit.collector.capture import START

WAIT = timedelta(seconds=52_531)
BUSY = Reply(b"Too many requests", 429, {"Retry-After": "52531"})


@pytest.fixture
def family(capture, spotify):
    """Two listeners of one app, and one of another; only `me` meets a rate limit."""
    for listener, app in {"you": "app", "they": "other-app"}.items():
        capture.log_in(f"AQ-{listener}", listener=listener, client_id=app)
    spotify.tokens = [a_grant()]
    spotify.pages = [BUSY, capture.page(1)]
    capture.poll("me")
    return capture


@pytest.mark.parametrize(
    ("endpoint", "calls"), [("pages", [TOKEN, PLAYED]), ("tokens", [TOKEN])], ids=["API", "tokens"]
)
def test_a_429_stops_polls_for_its_retry_after(capture, spotify, endpoint, calls):
    setattr(spotify, endpoint, [BUSY])

    outcomes = [capture.poll(), capture.poll()]

    assert [outcome.status for outcome in outcomes] == ["blocked", "blocked"]
    assert [outcome.blocked_until for outcome in outcomes] == [START + WAIT] * 2
    assert spotify.paths == calls
    measured = capture.metrics()
    assert (measured["SpotifyThrottled"], measured["TokenDaysLeft"]) == ([1], [150])
    assert capture.batches() == []


def test_the_retry_after_is_counted_from_when_the_429_arrived(capture, spotify):
    def refuse_slowly(_):
        capture.pass_time(seconds=12)
        return Reply(b"", 429, {"Retry-After": "5"})

    spotify.pages = [refuse_slowly]

    assert capture.poll().blocked_until == START + timedelta(seconds=17)


def test_an_exceeded_quota_stops_polls_for_five_hours(capture, spotify):
    spotify.pages = [json_reply({"error": {"status": 429, "reason": "QUOTA_EXCEEDED"}}, 429)]

    assert capture.poll().blocked_until == START + timedelta(hours=5)


def test_a_429_without_retry_after_doubles_the_last_wait(capture, spotify):
    spotify.pages = [Reply(b"Too many requests", 429)]
    first = capture.poll().blocked_until
    capture.pass_time(minutes=1)

    second = capture.poll().blocked_until

    assert (first, second) == (START + timedelta(minutes=1), START + timedelta(minutes=3))
    assert capture.app().refusals == 2


def test_a_successful_poll_clears_the_rate_limit(capture, spotify):
    spotify.pages = [BUSY, capture.page(1)]
    capture.poll()
    capture.now += WAIT

    outcome = capture.poll()

    assert (outcome.status, outcome.new) == ("polled", 1)
    assert capture.app() == AppState()


def test_without_a_rate_limit_a_poll_does_not_write_the_rate_limit_table(capture):
    capture.poll()

    assert {table for table, _ in capture.aws.items} == {"listener-state"}


def test_listeners_of_one_app_share_a_rate_limit(family, spotify):
    calls = len(spotify.requests)

    outcomes = {listener: family.poll(listener).status for listener in ("me", "you", "they")}

    assert outcomes == {"me": "blocked", "you": "blocked", "they": "polled"}
    assert len(spotify.requests) == calls + 2


def test_one_listeners_successful_poll_clears_the_rate_limit_for_all(family):
    family.now += WAIT
    family.poll("you")

    assert family.app() == AppState()
    assert family.poll("me").status == "polled"


def test_a_login_with_another_app_is_not_rate_limited(family):
    family.log_in("AQ-2", client_id="other-app")

    assert family.poll().status == "polled"
    assert family.app().refusals == 1


def test_a_rate_limit_recorded_by_another_function_stops_polls(capture, spotify):
    SpotifyApps(capture.aws, "spotify-app").throttle("app", 60, capture.now)

    assert capture.poll().status == "blocked"
    assert spotify.requests == []


def test_after_a_rate_limit_feature_calls_wait_for_a_successful_poll(family):
    family.now += WAIT
    before = family.app().is_blocked_for_others(family.now)

    family.poll()

    after = family.app().is_blocked_for_others(family.now)
    assert (before, after) == (True, False)


def test_a_refused_login_shows_in_the_metrics_during_a_rate_limit(capture, spotify):
    spotify.tokens = [json_reply({"error": "invalid_grant"}, 400)]
    capture.poll()
    SpotifyApps(capture.aws, "spotify-app").throttle("app", 60, capture.now)

    outcome = capture.poll()

    assert outcome.status == "blocked"
    assert capture.metrics()["TokenDaysLeft"] == [0]
