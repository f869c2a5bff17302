"""Polls from the event to the queue, with moto and a local Spotify."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from services.collector.handler import wire
from shared.archive import poll_key
from shared.aws import client
from shared.errors import SpotifyError
from tests.unit.collector.crashes import AwsIsAwayError, fail_at
from tests.unit.spotify_server import Reply, a_grant, a_page, a_row, json_reply

PLAYED = "/v1/me/player/recently-played"
TOKEN = "/api/token"  # noqa: S105 - a path, not a password


def ago(**span: float) -> str:
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


def page_of(*minutes_ago: float):
    return a_page(*[a_row(ago(minutes=m), name=f"T{m}") for m in minutes_ago])


def refresh_tokens(spotify) -> list[str]:
    return [request.form["refresh_token"] for request in spotify.requests if request.form]


def test_the_first_poll_publishes_what_spotify_shows(pipeline, spotify):
    spotify.pages = [page_of(1, 5, 9)]

    outcome = pipeline.poll()

    (batch,) = pipeline.published()
    assert [play.track_name for play in batch.plays] == ["T9", "T5", "T1"]
    assert (batch.listener, batch.source, batch.number) == ("me", "recently-played", 0)
    assert (batch.report.returned, batch.report.new, batch.report.gap) == (3, 3, None)
    assert outcome == {
        "listener": "me",
        "status": "polled",
        "new": 3,
        "late": 0,
        "moved": 0,
        "origin": batch.origin,
        "batches": 1,
        "gap": False,
    }


def test_the_archive_keeps_the_answer_under_the_origin_of_its_batch(pipeline, spotify):
    spotify.pages = [page_of(1)]

    pipeline.poll()

    (batch,) = pipeline.published()
    kept = client("s3").get_object(Bucket="plays-archive", Key=batch.origin)
    assert gzip.decompress(kept["Body"].read()) == spotify.pages[0].body
    assert batch.origin == poll_key("me", batch.report.polled_at)
    assert datetime.fromisoformat(pipeline.state()["polled_at"]) == batch.report.polled_at


def test_a_poll_without_new_plays_publishes_only_its_report(pipeline, spotify):
    spotify.pages = [page_of(1)]
    pipeline.poll()
    pipeline.published()
    archived = pipeline.archived()

    outcome = pipeline.poll()

    (batch,) = pipeline.published()
    assert (batch.plays, batch.report.new, batch.report.returned) == ((), 0, 1)
    assert pipeline.archived() == archived
    assert outcome["new"] == 0


def test_late_moved_and_unreadable_rows_are_reported(pipeline, spotify):
    first, moved = "2026-11-20T08:00:00.000Z", "2026-11-20T08:00:00.025Z"
    late, broken = a_row("2026-11-20T07:00:00Z"), a_row(uri=None)
    spotify.pages = [a_page(a_row(first)), a_page(a_row(moved), late, broken)]
    pipeline.poll()
    pipeline.published()

    pipeline.poll()

    (batch,) = pipeline.published()
    report = batch.report
    assert (report.new, report.late, report.moved, report.unreadable) == (1, 1, 1, 1)
    assert len(batch.plays) == 2


def test_an_answer_with_one_unreadable_row_is_archived_once(pipeline, spotify):
    spotify.pages = [a_page(a_row(uri=None))]

    pipeline.poll()
    pipeline.poll()

    assert len(pipeline.archived()) == 1


def test_a_full_answer_without_overlap_reports_the_gap(pipeline, spotify):
    spotify.pages = [page_of(500), page_of(*range(1, 51))]
    pipeline.poll()
    pipeline.published()

    outcome = pipeline.poll()

    (batch,) = pipeline.published()
    gap = batch.report.gap
    assert gap.ended_at - gap.started_at == pytest.approx(
        timedelta(minutes=450), abs=timedelta(seconds=5)
    )
    assert outcome["gap"] is True
    assert pipeline.metrics()["GapDetected"] == [1]


def test_a_poll_publishes_its_metrics(pipeline, spotify):
    spotify.pages = [page_of(90, 120)]

    pipeline.poll()

    published = pipeline.metrics()
    assert published.keys() == {
        "SpotifyThrottled",
        "SpotifyForbids",
        "HoursSinceLastPlay",
        "TokenDaysLeft",
        "PlaysNew",
        "GapDetected",
    }
    assert (published["PlaysNew"], published["GapDetected"]) == ([2], [0])
    assert published["SpotifyThrottled"] == [0]
    assert published["HoursSinceLastPlay"] == pytest.approx([1.5], abs=0.01)
    assert published["TokenDaysLeft"] == pytest.approx([150], abs=0.01)


def test_each_listener_has_a_window_and_a_login(pipeline, spotify):
    client("secretsmanager").create_secret(Name="plays/listener/you")
    pipeline.log_in("AQ-you", listener="you")
    spotify.pages = [page_of(1)]
    pipeline.poll("me")
    pipeline.published()

    outcome = pipeline.poll("you")

    (batch,) = pipeline.published()
    assert (batch.listener, len(batch.plays), outcome["new"]) == ("you", 1, 1)
    assert refresh_tokens(spotify) == ["AQ-1", "AQ-you"]


# Before the first login


@pytest.mark.parametrize("text", [None, " ", "{}", '{"client_id": "app", "refresh_token": ""}'])
def test_before_the_first_login_a_poll_ends_quietly(logged_out, spotify, text):
    [logged_out.put_secret(value) for value in [text] if value]

    outcome = logged_out.poll()

    assert outcome["status"] == "not-logged-in"
    assert spotify.requests == []
    assert (logged_out.published(), logged_out.state()) == ([], {})


def test_a_listener_without_a_secret_is_not_logged_in(logged_out):
    assert logged_out.poll("nobody")["status"] == "not-logged-in"


def test_the_first_poll_after_a_login_asks_spotify(logged_out, spotify):
    logged_out.poll()
    logged_out.log_in()

    assert logged_out.poll()["status"] == "polled"


# Access tokens


def test_an_access_token_is_used_for_many_polls(pipeline, spotify):
    pipeline.poll()
    pipeline.poll()

    assert spotify.paths == [TOKEN, PLAYED, PLAYED]


def test_an_access_token_is_replaced_before_it_expires(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1", expires_in=60), a_grant("BQ-2")]

    pipeline.poll()
    pipeline.poll()

    assert spotify.paths == [TOKEN, PLAYED, TOKEN, PLAYED]
    assert spotify.requests[-1].headers["Authorization"] == "Bearer BQ-2"


def test_a_new_login_is_used_at_once(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1"), a_grant("BQ-2")]
    pipeline.poll()
    pipeline.log_in("AQ-2")

    pipeline.poll()

    assert spotify.paths == [TOKEN, PLAYED, TOKEN, PLAYED]
    assert refresh_tokens(spotify) == ["AQ-1", "AQ-2"]


def test_a_refused_access_token_is_replaced_once(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1"), a_grant("BQ-2")]
    spotify.pages = [json_reply({"error": {"status": 401}}, 401), page_of(1)]

    outcome = pipeline.poll()

    assert outcome["new"] == 1
    assert spotify.paths == [TOKEN, PLAYED, TOKEN, PLAYED]
    assert spotify.requests[-1].headers["Authorization"] == "Bearer BQ-2"


def test_a_rotated_token_is_written_before_the_next_call(pipeline, spotify):
    pipeline.log_in(scope="user-read-recently-played")
    before = pipeline.secret()
    spotify.tokens = [a_grant("BQ-1", rotated_to="AQ-2")]
    spotify.pages = [Reply(b"", 503)]

    with pytest.raises(SpotifyError):
        pipeline.poll()

    assert pipeline.secret() | {"authorized_at": None} == before | {
        "refresh_token": "AQ-2",
        "authorized_at": None,
    }


def test_an_unwritten_rotation_fails_the_poll(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1", rotated_to="AQ-2")]
    fail_at("PutSecretValue", "before-call")

    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    assert spotify.paths == [TOKEN]


@pytest.fixture
def rotating(spotify):
    """A Spotify that accepts each refresh token once, starting with AQ-1."""
    given = ["AQ-1"]

    def trade(request):
        if request.form["refresh_token"] != given[-1]:
            return DEAD
        given.append(f"AQ-{len(given) + 1}")
        return a_grant(f"BQ-{len(given)}", rotated_to=given[-1])

    spotify.tokens = [trade]
    return spotify


def poll_without_write(times: int) -> None:
    """Poll several times while the secret cannot be written."""
    for _ in range(times):
        fail_at("PutSecretValue", "before-call")
        with pytest.raises(AwsIsAwayError):
            wire().poll("me")


def stored_token(pipeline) -> str:
    return pipeline.secret()["refresh_token"]


@pytest.mark.parametrize("times", [1, 2])
def test_the_next_poll_writes_an_unwritten_rotation(pipeline, rotating, times):
    poll_without_write(times)

    assert pipeline.poll()["status"] == "polled"
    assert refresh_tokens(rotating) == ["AQ-1", "AQ-2"]
    assert stored_token(pipeline) == "AQ-3"


def test_a_rotation_written_despite_an_error_is_used(pipeline, rotating):
    fail_at("PutSecretValue", "after-call")
    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    assert pipeline.poll()["status"] == "polled"
    assert refresh_tokens(rotating) == ["AQ-1", "AQ-2"]


def test_a_new_login_replaces_an_unwritten_rotation(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1", rotated_to="AQ-2"), a_grant("BQ-9")]
    poll_without_write(1)
    pipeline.log_in("AQ-9")

    statuses = [pipeline.poll()["status"] for _ in range(2)]

    assert statuses == ["polled", "polled"]
    assert refresh_tokens(spotify) == ["AQ-1", "AQ-9"]
    assert stored_token(pipeline) == "AQ-9"


def test_a_rotation_needs_no_second_token_call(pipeline, spotify):
    spotify.tokens = [a_grant("BQ-1", rotated_to="AQ-2")]
    pipeline.poll()

    pipeline.poll()

    assert spotify.paths == [TOKEN, PLAYED, PLAYED]


# A refused login

DEAD = json_reply({"error": "invalid_grant", "error_description": "Refresh token revoked"}, 400)


def test_a_refused_login_keeps_its_refresh_token(pipeline, spotify):
    spotify.tokens = [DEAD]
    secret = pipeline.secret()

    outcome = pipeline.poll()

    assert outcome["status"] == "needs-login"
    assert pipeline.metrics()["TokenDaysLeft"] == [0]
    assert pipeline.secret() == secret
    assert pipeline.state()["needs_login"] is not None
    assert pipeline.published() == []


def test_a_refused_login_is_not_tried_again_within_an_hour(pipeline, spotify):
    spotify.tokens = [DEAD]
    pipeline.poll()

    outcome = pipeline.poll()

    assert outcome["status"] == "needs-login"
    assert pipeline.metrics()["TokenDaysLeft"] == [0]
    assert spotify.paths == [TOKEN]


def test_a_login_refused_by_mistake_works_after_an_hour(pipeline, spotify):
    spotify.tokens = [DEAD, a_grant()]
    pipeline.poll()
    refusal = pipeline.state()["needs_login"]
    pipeline.change_state(needs_login=refusal | {"tried_at": ago(minutes=61)})

    outcome = pipeline.poll()

    assert outcome["status"] == "polled"
    assert (pipeline.state()["needs_login"], pipeline.state()["last_error"]) == (None, None)


def test_a_refused_login_keeps_its_first_refusal_time(pipeline, spotify):
    spotify.tokens = [DEAD]
    pipeline.poll()
    first = pipeline.state()["needs_login"]
    pipeline.change_state(needs_login=first | {"since": ago(days=2), "tried_at": ago(minutes=61)})
    before = pipeline.state()["needs_login"]

    pipeline.poll()

    after = pipeline.state()["needs_login"]
    assert datetime.fromisoformat(after["since"]) == datetime.fromisoformat(before["since"])
    assert after["tried_at"] > before["tried_at"]


def test_another_login_is_tried_at_once(pipeline, spotify):
    spotify.tokens = [DEAD, a_grant()]
    pipeline.poll()
    pipeline.log_in("AQ-2")

    assert pipeline.poll()["status"] == "polled"


def test_a_token_that_another_poll_rotated_is_read_again(pipeline, spotify):
    spotify.tokens = [DEAD, a_grant()]
    original = spotify.reply

    def rotated_meanwhile(request):
        pipeline.log_in("AQ-2")
        return original(request)

    spotify.reply = rotated_meanwhile

    outcome = pipeline.poll()

    assert outcome["status"] == "polled"
    assert refresh_tokens(spotify) == ["AQ-1", "AQ-2"]


# Refusals and failures of Spotify


@pytest.mark.parametrize(
    "reply", [Reply(b"bad gateway", 502), Reply(b"<html>")], ids=["502", "garbage"]
)
def test_a_failure_fails_the_poll_and_is_saved(pipeline, spotify, reply):
    spotify.pages = [page_of(9), reply, reply, page_of(5, 9)]
    pipeline.poll()
    window = pipeline.state()["window"]
    with pytest.raises(SpotifyError):
        pipeline.poll()

    with pytest.raises(SpotifyError):
        pipeline.poll()

    assert pipeline.state()["last_error"]["kind"] == "failed"
    assert pipeline.state()["window"] == window
    assert pipeline.metrics()["HoursSinceLastPlay"] == pytest.approx([0.15], abs=0.01)
    assert pipeline.poll()["new"] == 1
    assert pipeline.state()["last_error"] is None


FORBIDDEN = [
    pytest.param("pages", Reply(b"User not registered", 403), id="403"),
    pytest.param("tokens", json_reply({"error": "invalid_client"}, 400), id="app refused"),
]


@pytest.mark.parametrize(("endpoint", "reply"), FORBIDDEN)
def test_after_403_no_call_is_made_for_an_hour(pipeline, spotify, endpoint, reply):
    setattr(spotify, endpoint, [reply])
    outcome = pipeline.poll()
    measured = pipeline.metrics()
    calls = list(spotify.paths)

    again = pipeline.poll()

    assert outcome == again
    assert (outcome["status"], outcome["reason"]) == (
        "forbidden",
        pipeline.state()["last_error"]["message"],
    )
    assert measured["SpotifyForbids"] == pipeline.metrics()["SpotifyForbids"] == [1]
    assert measured["TokenDaysLeft"] == pytest.approx([150], abs=0.01)
    assert spotify.paths == calls


@pytest.mark.parametrize(("endpoint", "reply"), FORBIDDEN)
def test_a_forbidden_call_is_retried_after_an_hour(pipeline, spotify, endpoint, reply):
    allowed = getattr(spotify, endpoint)
    setattr(spotify, endpoint, [reply, *allowed])
    pipeline.poll()
    pipeline.change_state(last_error=pipeline.state()["last_error"] | {"at": ago(minutes=61)})

    outcome = pipeline.poll()

    assert outcome["status"] == "polled"
    assert pipeline.metrics()["SpotifyForbids"] == [0]


@pytest.mark.parametrize(("endpoint", "reply"), FORBIDDEN)
def test_a_login_ends_the_wait_after_403(pipeline, spotify, endpoint, reply):
    setattr(spotify, endpoint, [reply, *getattr(spotify, endpoint)])
    pipeline.poll()
    pipeline.log_in("AQ-2", authorized_at=datetime.now(UTC).isoformat())

    assert pipeline.poll()["status"] == "polled"


@pytest.mark.parametrize("reply", [Reply(b"", 503), Reply(b"garbage")], ids=["503", "garbage"])
def test_a_failing_token_endpoint_is_not_a_refused_login(pipeline, spotify, reply):
    spotify.tokens = [reply]

    with pytest.raises(SpotifyError):
        pipeline.poll()

    assert pipeline.state()["needs_login"] is None
    assert pipeline.state()["last_error"]["kind"] == "failed"


# Crashes


@pytest.mark.parametrize("moment", ["before-call", "after-call"])
@pytest.mark.parametrize("operation", ["PutObject", "SendMessage", "PutItem"])
def test_the_poll_after_a_crash_publishes_the_same_plays(pipeline, spotify, operation, moment):
    spotify.pages = [page_of(60), page_of(5, 9, 60), page_of(1, 5, 9, 60)]
    pipeline.poll()
    fail_at(operation, moment)
    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    pipeline.poll()

    batches = pipeline.published()
    archived = pipeline.archived()
    assert {p.track_name for b in batches for p in b.plays} == {"T60", "T9", "T5", "T1"}
    assert {b.origin for b in batches if b.plays} <= set(archived)


def test_unpublished_plays_are_not_saved_as_known(pipeline, spotify):
    spotify.pages = [page_of(5)]
    fail_at("SendMessage", "before-call")
    with pytest.raises(AwsIsAwayError):
        wire().poll("me")

    assert pipeline.state() == {}


def test_another_error_of_secrets_manager_fails_the_poll(pipeline, spotify):
    client("secretsmanager").delete_secret(SecretId="plays/listener/me")

    with pytest.raises(ClientError, match="InvalidRequestException"):
        wire().poll("me")


def test_no_token_reaches_the_logs(pipeline, spotify, caplog):
    pipeline.log_in("AQ-hidden", client_secret="s-hidden")  # noqa: S106 - no real one
    spotify.tokens = [a_grant("BQ-hidden", rotated_to="AQ-hidden-2"), DEAD]
    spotify.pages = [Reply(b"BQ-hidden", 403)]

    pipeline.poll()
    pipeline.log_in("AQ-hidden-3", authorized_at=datetime.now(UTC).isoformat())
    wire.cache_clear()
    pipeline.poll()

    logged = [vars(record) for record in caplog.records]
    assert [line["msg"] for line in logged] == [
        "refresh token rotated",
        "forbidden by Spotify",
        "waiting for a permission",
        "login refused by Spotify",
        "waiting for a login",
    ]
    assert "hidden" not in f"{logged}"
