"""One poll after another: what they publish, archive, measure and remember."""

import gzip
from datetime import timedelta

import pytest

from shared.archive import poll_key
from tests.fakes.aws import CrashError
from tests.fakes.spotify import Reply, a_grant, json_reply
from tests.unit.collector.capture import START

DEAD = json_reply({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)


def refresh_tokens(spotify) -> list[str]:
    return [request.form["refresh_token"] for request in spotify.requests if request.form]


def stored_token(capture) -> str:
    return capture.login().refresh_token


def test_the_first_poll_publishes_every_play_that_spotify_returns(capture, spotify):
    spotify.pages = [capture.page(1, 5, 9)]

    outcome = capture.poll()

    (batch,) = capture.batches()
    assert [play.track_name for play in batch.plays] == ["T9", "T5", "T1"]
    assert (batch.listener, batch.source, batch.number) == ("me", "recently-played", 0)
    assert (batch.report.returned, batch.report.new, batch.report.gap) == (3, 3, None)
    assert outcome.model_dump(exclude_none=True) == {
        "listener": "me",
        "status": "polled",
        "new": 3,
        "late": 0,
        "moved": 0,
        "origin": batch.origin,
        "batches": 1,
        "gap": False,
    }


def test_the_raw_poll_is_archived_under_the_origin_of_its_batch(capture, spotify):
    spotify.pages = [capture.page(1)]

    capture.poll()

    (batch,) = capture.batches()
    assert batch.origin == poll_key("me", batch.report.polled_at)
    assert gzip.decompress(capture.aws.objects[batch.origin]) == spotify.pages[0].body
    assert capture.state().polled_at == batch.report.polled_at == START


def test_a_poll_without_new_plays_publishes_only_its_report(capture, spotify):
    spotify.pages = [capture.page(1)]
    capture.poll()
    archived = set(capture.aws.objects)
    capture.received()
    capture.pass_time(minutes=1)

    outcome = capture.poll()

    (batch,) = capture.received()
    assert (batch.plays, batch.report.new, batch.report.returned) == ((), 0, 1)
    assert set(capture.aws.objects) == archived
    assert outcome.new == 0


def test_a_poll_of_50_rows_without_a_known_play_reports_a_gap(capture, spotify):
    spotify.pages = [capture.page(500), capture.page(*range(1, 51))]
    capture.poll()
    capture.received()

    outcome = capture.poll()

    (batch,) = capture.received()
    gap = batch.report.gap
    assert gap.ended_at - gap.started_at == timedelta(minutes=450)
    assert outcome.gap is True
    assert capture.metrics()["GapDetected"] == [1]


def test_a_successful_poll_emits_play_gap_rate_limit_and_login_metrics(capture, spotify):
    spotify.pages = [capture.page(90, 120)]

    capture.poll()

    assert capture.metrics() == {
        "SpotifyThrottled": [0],
        "SpotifyForbids": [0],
        "HoursSinceLastPlay": [1.5],
        "TokenDaysLeft": [150],
        "PlaysNew": [2],
        "GapDetected": [0],
    }


def test_each_listener_has_separate_known_plays_and_login(capture, spotify):
    capture.log_in("AQ-you", listener="you")
    spotify.tokens, spotify.pages = [a_grant()], [capture.page(1)]
    capture.poll("me")
    capture.received()

    outcome = capture.poll("you")

    (batch,) = capture.received()
    assert (batch.listener, len(batch.plays), outcome.new) == ("you", 1, 1)
    assert refresh_tokens(spotify) == ["AQ-0", "AQ-you"]


# Before the first login


@pytest.mark.parametrize("text", [None, " ", "{}", '{"client_id": "app", "refresh_token": ""}'])
def test_a_poll_before_the_first_login_writes_nothing(capture, spotify, text):
    capture.aws.secrets = {"listener/me": text} if text else {}

    outcome = capture.poll()

    assert outcome.status == "not-logged-in"
    assert spotify.requests == []
    assert (capture.aws.bodies, capture.aws.items) == ([], {})


def test_the_first_poll_after_a_login_calls_spotify(capture):
    capture.aws.secrets["listener/me"] = "{}"
    capture.poll()
    capture.log_in("AQ-0")

    assert capture.poll().status == "polled"


# Tokens


def test_a_poll_uses_a_login_made_since_the_last_poll(capture, spotify):
    spotify.tokens = [a_grant("BQ-1"), a_grant("BQ-2")]
    capture.poll()
    capture.log_in("AQ-9")

    capture.poll()

    assert refresh_tokens(spotify) == ["AQ-0", "AQ-9"]
    assert spotify.requests[-1].headers["Authorization"] == "Bearer BQ-2"


def poll_without_write(capture) -> None:
    """Poll while the secret cannot be written."""
    with pytest.raises(CrashError):
        capture.poll(crash=("put_secret_value", "before"))


@pytest.mark.parametrize("times", [1, 2])
def test_a_rotated_token_that_could_not_be_saved_is_saved_by_the_next_poll(capture, spotify, times):
    for _ in range(times):
        poll_without_write(capture)

    assert capture.poll().status == "polled"
    assert [*refresh_tokens(spotify), stored_token(capture)] == ["AQ-0", "AQ-1", "AQ-2"]


def test_a_new_login_replaces_a_rotated_token_that_could_not_be_saved(capture, spotify):
    spotify.tokens = [a_grant("BQ-1", rotated_to="AQ-1"), a_grant("BQ-9")]
    poll_without_write(capture)
    capture.log_in("AQ-9")

    statuses = [capture.poll().status for _ in range(2)]

    assert statuses == ["polled", "polled"]
    assert [*refresh_tokens(spotify), stored_token(capture)] == ["AQ-0", "AQ-9", "AQ-9"]


def test_a_refresh_token_rotated_by_another_poll_is_reloaded(capture, spotify):
    def rotated_meanwhile(request):
        capture.log_in("AQ-9")
        return DEAD

    spotify.tokens = [rotated_meanwhile, a_grant()]

    assert capture.poll().status == "polled"
    assert refresh_tokens(spotify) == ["AQ-0", "AQ-9"]


# Refusals that need a person


REFUSALS = pytest.mark.parametrize(
    ("endpoint", "reply"),
    [
        pytest.param("tokens", DEAD, id="login refused"),
        pytest.param("tokens", json_reply({"error": "invalid_client"}, 400), id="app refused"),
        pytest.param("pages", Reply(b"User not registered", 403), id="403"),
    ],
)


@REFUSALS
def test_a_refused_login_app_or_call_is_retried_after_an_hour(capture, spotify, endpoint, reply):
    setattr(spotify, endpoint, [reply, *getattr(spotify, endpoint)])
    capture.poll()
    calls = len(spotify.requests)

    capture.pass_time(minutes=59)
    before = capture.poll().status, len(spotify.requests) - calls
    capture.pass_time(minutes=1)
    after = capture.poll().status

    assert before in (("needs-login", 0), ("forbidden", 0))
    assert after == "polled"
    assert (capture.state().needs_login, capture.state().last_error) == (None, None)
    assert capture.metrics()["SpotifyForbids"] == [0]


def test_a_refused_login_keeps_its_first_refusal_time(capture, spotify):
    spotify.tokens = [DEAD]
    capture.poll()
    capture.pass_time(hours=2)

    capture.poll()

    refusal = capture.state().needs_login
    assert (refusal.since, refusal.tried_at) == (START, capture.now)


@pytest.mark.parametrize(
    ("script", "days_left", "forbids"),
    [
        pytest.param({"tokens": [DEAD]}, 0, 0, id="login refused"),
        pytest.param({"pages": [Reply(b"User not registered", 403)]}, 150, 1, id="403"),
    ],
)
def test_a_refused_login_or_403_shows_in_the_metrics(capture, spotify, script, days_left, forbids):
    vars(spotify).update(script)

    measured = [(capture.poll(), capture.metrics())[1] for _ in range(2)]

    assert [each["TokenDaysLeft"] for each in measured] == [[days_left], [days_left]]
    assert [each["SpotifyForbids"] for each in measured] == [[forbids], [forbids]]


def test_a_poll_that_gets_403_returns_spotifys_reason(capture, spotify):
    spotify.pages = [Reply(b"User not registered", 403)]

    outcome, again = capture.poll(), capture.poll()

    assert outcome == again
    assert outcome.reason == "Spotify forbids the call: User not registered"
