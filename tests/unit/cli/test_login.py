import json
import os
import signal
import socket
import sys
import time
import webbrowser
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra.local import cloud
from infra.local.memory import Memory
from infra.local.ports import any_free
from infra.local.state import LocalCloudError
from services.collector.credentials import Credentials
from services.collector.state import ListenerState, ListenerStates, LoginRefusal
from shared.models import iso
from shared.spotify.rate_limits import SpotifyApps, fingerprint
from tests.unit.cli.conftest import BUCKET, LISTENER_STATES, SPOTIFY_APPS
from tests.unit.cli.login_stage import (
    APP_SECRET,
    GRANT,
    LISTENER_SECRET,
    SECRETS,
    Person,
    Stage,
    deploy_collector,
    typing_on_stdin,
)
from tests.unit.spotify_server import (
    Reply,
    a_grant,
    a_page,
    a_row,
    a_spotify_server,
    json_reply,
)

# A login that should have been refused waits for a person.
pytestmark = pytest.mark.timeout(60)
NOT_REGISTERED = Reply(b"User not registered in the Developer Dashboard", 403)
NO_PREMIUM = Reply(b"Active premium subscription required for the owner of the app.", 403)
APP, OTHER_APP, KNOWN_APP = "a" * 32, "b" * 32, "c" * 32
BEFORE = {
    "client_id": KNOWN_APP,
    "client_secret": "app-secret",
    "refresh_token": "AQ-before",
    "authorized_at": iso(datetime.now(UTC) - timedelta(days=30)),
}


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        server.tokens = [a_grant("BQ-secret", rotated_to="AQ-secret")]
        server.pages = [a_page(a_row(), a_row("2026-11-23T08:25:01Z"))]
        yield server


@pytest.fixture
def person(monkeypatch):
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    person = Person()
    monkeypatch.setattr(webbrowser, "open", person.open)
    monkeypatch.setenv("DISPLAY", ":0")
    with typing_on_stdin() as keyboard:
        person.keyboard = keyboard
        yield person
        person.join()


@pytest.fixture
def stage(aws, target, plays, spotify, person):
    deploy_collector(aws, SPOTIFY_API_URL=spotify.url, SPOTIFY_ACCOUNTS_URL=spotify.url)
    aws.client("secretsmanager").create_secret(Name=LISTENER_SECRET)
    return Stage(plays, any_free(), aws, spotify, person)


@pytest.fixture
def again(stage):
    """The stage of somebody who logged in before."""
    stage.store(BEFORE)
    return stage


# A login that works


def test_a_login_is_stored_with_all_that_polls_need(stage):
    began = datetime.now(UTC)

    result = stage.login("--client-id", APP)

    assert result.exit_code == 0, result.stderr
    login_stored = stage.stored
    authorized_at = datetime.fromisoformat(login_stored.pop("authorized_at"))
    assert login_stored == {"client_id": APP, "client_secret": "", "refresh_token": "AQ-secret"}
    assert began <= authorized_at <= datetime.now(UTC)
    assert authorized_at.utcoffset() == timedelta(0)


def test_a_login_tells_how_long_it_lives_and_how_much_spotify_shows(stage):
    result = stage.login("--client-id", APP)

    until = (datetime.now(UTC) + timedelta(days=180)).strftime("%Y-%m-%d")
    assert result.stdout == (
        f"me is logged in until {until}; Spotify shows 2 plays.\n"
        "The next poll takes them; `plays poll --wait` does so now.\n"
    )


def test_a_script_gets_one_document_and_no_secret(stage):
    result = stage.login("--client-id", APP, "--json")

    told = json.loads(result.stdout)
    lived = datetime.fromisoformat(told["expires_at"]) - datetime.fromisoformat(
        told["authorized_at"]
    )
    assert lived == timedelta(days=180)
    assert (told["listener"], told["client_id"]) == ("me", APP)
    assert (told["plays_shown"], told["trouble"]) == (2, None)
    assert "refresh_token" not in told


def test_a_login_calls_the_token_endpoint_once_and_polls_once(stage):
    stage.login("--client-id", APP)

    token, poll = stage.spotify.requests
    assert token.form["code"] == "AQC-secret"
    assert token.form["redirect_uri"] == stage.person.asked["redirect_uri"]
    assert token.form["client_id"] == APP
    assert poll.headers["Authorization"] == "Bearer BQ-secret"


def test_a_listener_who_is_not_deployed_is_told_before_anything_is_asked(stage):
    result = stage.login("--client-id", APP, "--listener", "anna")

    assert result.exit_code == 1
    assert "add anna to the listeners in cdk.json and deploy" in result.stderr
    assert stage.person.addresses == []


def test_the_browser_is_thanked_on_its_page(stage):
    stage.login("--client-id", APP)
    stage.person.join()

    assert "Spotify said yes" in stage.person.pages[0]


# Nothing is deleted for a login that cannot be


@pytest.fixture
def turns(stage, target, monkeypatch, tmp_path):
    """The turns of a local cloud that is polled by a simulator, by whether it starts over."""
    asked = []
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    Memory(simulated={"me"}).save(tmp_path)
    real = dict.fromkeys(("real_spotify_api_url", "real_spotify_accounts_url"), stage.spotify.url)
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(simulated=True, **real))
    # Its AWS is moto's all the same.
    monkeypatch.setitem(vars(target), "client", target.session.client)

    def turn(_, *, start_over):
        # A login that cannot be stored is none to turn for.
        asked.append((start_over, [request.path for request in stage.spotify.requests]))

    monkeypatch.setattr(cloud, "turn_to_real_spotify", turn)
    return asked


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--client-id", APP, "--listener", "anna"), "add anna to the listeners"),
        (("--client-id", "a b"), "32 hexadecimal digits"),
        ((), "no client id"),
    ],
    ids=["unknown listener", "odd id", "no id"],
)
def test_a_login_that_cannot_be_deletes_nothing(stage, turns, words, line):
    stage.store(BEFORE)
    stage.person.pastes("")

    result = stage.login("--start-over", *words)

    assert result.exit_code == 1
    assert line in result.stderr
    assert turns == []


def test_a_cloud_turns_once_the_code_of_a_consent_is_traded(stage, turns):
    result = stage.login("--start-over", "--client-id", APP)

    assert result.exit_code == 0, result.stderr
    assert turns == [(True, ["/api/token"])]
    assert stage.stored["refresh_token"] == GRANT


@pytest.mark.parametrize("does", ["denies", "looks_away", "presses_ctrl_c"])
def test_a_cloud_stays_as_it_was_without_a_consent(stage, turns, heard, does):
    stage.store(BEFORE)
    stage.person.does = getattr(stage.person, does)

    result = stage.login("--start-over", "--client-id", APP, "--timeout", "1")

    assert result.exit_code == (130 if does == "presses_ctrl_c" else 1)
    assert "no login was stored" in result.stderr
    assert (turns, stage.stored) == ([], BEFORE)


@pytest.mark.parametrize(
    "reply",
    [
        json_reply({"error": "invalid_grant", "error_description": "Invalid code"}, 400),
        a_grant("BQ-secret"),
        Reply(b"", 429, {"Retry-After": "7"}),
    ],
    ids=["bad code", "no refresh token", "429"],
)
def test_a_cloud_stays_as_it_was_when_a_code_is_not_traded(stage, turns, reply):
    stage.store(BEFORE)
    stage.spotify.tokens = [reply]

    result = stage.login("--start-over", "--client-id", APP)

    assert result.exit_code == 1
    assert (turns, stage.stored) == ([], BEFORE)


def test_ctrl_c_while_a_cloud_turns_loses_no_login(stage, turns, heard, monkeypatch):
    monkeypatch.setattr(
        cloud, "turn_to_real_spotify", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)
    )

    result = stage.login("--start-over", "--client-id", APP)

    assert result.exit_code == 130
    assert "the login is stored, but was not tried" in result.stderr
    assert "Stopping once the local cloud has started and the login is stored" in result.stderr
    assert stage.stored["refresh_token"] == GRANT


@pytest.mark.parametrize("stops", [True, False])
def test_a_turn_that_fails_says_that_no_login_was_stored(stage, turns, monkeypatch, stops):
    def fail(*_, **__):
        if stops:
            os.kill(os.getpid(), signal.SIGINT)
        raise LocalCloudError("it ended. `make run` finishes this; then run `plays login` again")

    monkeypatch.setattr(cloud, "turn_to_real_spotify", fail)

    result = stage.login("--start-over", "--client-id", APP)

    assert result.exit_code == 1
    assert "no login was stored: it ended. `make run` finishes this; then" in result.stderr
    assert "the login is stored" not in result.stderr.replace("and the login is stored ...", "")
    assert stage.stored is None


@pytest.fixture
def at_simulator(stage, turns, tmp_path, session):
    """A local cloud in which anna has plays of her own, and none that are simulated."""
    Memory(empty=True, simulated={"me"}).save(tmp_path)
    secret = LISTENER_SECRET.replace("/me", "/anna")
    session.client("secretsmanager").create_secret(Name=secret, SecretString="{}")
    session.client("s3").put_object(Bucket=BUCKET, Key="history/anna/my_spotify_data.zip")
    return ("--simulated", "--listener", "anna", "--client-id", "local-client")


def test_a_login_at_the_simulator_asks_before_its_plays_are_mixed(stage, at_simulator, tmp_path):
    result = stage.login(*at_simulator)

    assert result.exit_code == 1
    assert "would be mixed with anna's own: pass --yes" in result.stderr
    assert stage.person.addresses == []
    assert Memory.load(tmp_path).simulated == {"me"}


def test_a_login_at_the_simulator_is_remembered(stage, at_simulator, tmp_path):
    result = stage.login(*at_simulator, "--yes")

    assert result.exit_code == 0, result.stderr
    assert Memory.load(tmp_path).simulated == {"me", "anna"}


# Who the app is


def test_a_stored_client_id_of_another_form_counts_as_none(stage):
    stage.store(BEFORE | {"client_id": "local-client"})
    stage.person.pastes(APP)

    result = stage.login()

    assert result.exit_code == 0, result.stderr
    assert stage.person.asked["client_id"] == APP
    assert stage.stored["client_secret"] == ""


def test_the_first_login_tells_how_to_make_an_app_and_asks_for_its_id(stage):
    stage.person.pastes(APP)

    result = stage.login()

    assert stage.stored["client_id"] == APP
    assert "https://developer.spotify.com/dashboard" in result.stderr
    assert stage.person.asked["redirect_uri"] in result.stderr
    assert "User Management" in result.stderr
    assert "Premium" in result.stderr


def test_a_second_login_asks_for_nothing(again):
    result = again.login()

    assert result.exit_code == 0
    assert "Client" not in result.stderr
    assert again.person.asked["client_id"] == KNOWN_APP
    assert again.spotify.requests[0].headers["Authorization"].startswith("Basic ")
    assert again.stored["client_secret"] == APP_SECRET
    assert again.stored["refresh_token"] == GRANT


@pytest.mark.parametrize(("before", "shown"), [(None, "false"), (BEFORE, "true")])
def test_spotify_asks_again_whom_it_knows_so_that_the_account_can_be_changed(stage, before, shown):
    stage.store(before or {})

    stage.login("--client-id", APP)

    assert stage.person.asked["show_dialog"] == shown


def test_the_secret_of_another_app_is_not_taken_over(again):
    again.login("--client-id", OTHER_APP)

    assert (again.stored["client_id"], again.stored["client_secret"]) == (OTHER_APP, "")


def test_a_secret_can_come_by_stdin(stage):
    stage.person.pastes("app-secret")

    stage.login("--client-id", APP, "--client-secret-stdin")

    assert stage.stored["client_secret"] == APP_SECRET


def test_id_and_secret_can_come_by_the_environment(stage, monkeypatch):
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", APP)
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "app-secret")

    stage.login()

    assert (stage.stored["client_id"], stage.stored["client_secret"]) == (APP, "app-secret")


@pytest.mark.parametrize(
    ("words", "typed", "line"),
    [
        ((), "", "no client id: type it, pass --client-id, or set SPOTIFY_CLIENT_ID"),
        (("--client-id", "a b"), "", "32 hexadecimal digits"),
        (("--client-id", APP, "--client-secret-stdin"), "", "no line came on stdin"),
        (("--client-id", APP, "--client-secret-stdin"), "app secret", "the client secret must"),
    ],
    ids=["no id", "odd id", "no secret", "odd secret"],
)
def test_an_app_that_is_not_named_rightly_is_asked_for_nothing(stage, words, typed, line):
    stage.person.pastes(typed)

    result = stage.login(*words)

    assert result.exit_code == 1
    assert line in result.stderr
    assert "app secret" not in result.stderr
    assert stage.spotify.requests == []


def test_a_login_mends_a_secret_that_cannot_be_read(stage):
    stage.store(BEFORE | {"authorized_at": "once", "note": "kept"})

    result = stage.login("--client-id", APP)

    assert result.exit_code == 0
    assert stage.stored["refresh_token"] == GRANT
    assert stage.stored["note"] == "kept"


# The answer of the consent page


def test_the_address_can_be_pasted(stage):
    stage.person.does = lambda: stage.person.pastes("", "what is this?", stage.person.redirect())

    result = stage.login("--client-id", APP)

    assert stage.stored["refresh_token"] == GRANT
    assert "paste the whole of it" in result.stderr


def test_a_forged_answer_does_not_end_the_login(stage):
    def is_attacked():
        stage.person.visits(stage.person.redirect(state="forged", code="AQC-forged"))
        stage.person.visits(stage.person.redirect(state="forged", code="", error="access_denied"))
        stage.person.allows()

    stage.person.does = is_attacked

    stage.login("--client-id", APP)
    stage.person.join()

    assert [page.count("another login") for page in stage.person.pages] == [1, 1, 0]
    assert stage.stored["refresh_token"] == GRANT


def test_a_no_changes_nothing(again):
    again.person.does = again.person.denies

    result = again.login()

    assert result.exit_code == 1
    assert "Spotify gives no access: you said no" in result.stderr
    assert again.spotify.requests == []
    assert again.stored == BEFORE


def test_another_reason_is_told(stage):
    stage.person.does = lambda: stage.person.visits(
        stage.person.redirect(code="", error="server_error")
    )

    assert "it says server_error" in stage.login("--client-id", APP).stderr


def test_no_answer_in_time_changes_nothing(again):
    again.person.does = again.person.looks_away
    began = time.monotonic()

    result = again.login("--timeout", "0.1")

    assert result.exit_code == 1
    assert time.monotonic() - began < 10
    assert "no answer from Spotify's consent page within 0.1 s" in result.stderr
    assert again.stored == BEFORE


def test_without_a_browser_the_address_is_told(stage, monkeypatch):
    result = stage.login("--client-id", APP, "--no-browser", "--timeout", "0.1")

    assert stage.person.addresses == []
    assert f"/authorize?client_id={APP}&" in result.stderr
    assert "Open this page" in result.stderr


def test_a_machine_without_a_screen_opens_no_browser(stage, monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")

    stage.login("--client-id", APP, "--timeout", "0.1")

    assert stage.person.addresses == []


def test_a_busy_port_is_told_before_anything_is_asked(stage):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        result = stage.login("--port", str(port))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: port {port} is busy")
    assert stage.person.addresses == []


# What Spotify says then


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (NOT_REGISTERED, "dashboard > your app > Settings > User Management"),
        (NO_PREMIUM, "the account that owns the app has no active Premium: renew it"),
        (json_reply({"error": {"status": 403}}, 403), "Spotify shows no plays"),
    ],
    ids=["not registered", "no premium", "unknown"],
)
def test_a_refusal_to_show_plays_tells_what_to_do_and_keeps_a_first_login(stage, reply, remedy):
    stage.spotify.pages = [reply]

    result = stage.login("--client-id", APP)

    assert result.exit_code == 1
    assert remedy in result.stderr
    assert "the login is stored, and polls succeed once that is done" in result.stderr
    assert stage.stored["refresh_token"] == GRANT


def test_a_login_that_is_refused_plays_replaces_none_that_may_work(again):
    again.spotify.pages = [NOT_REGISTERED]

    result = again.login()

    assert result.exit_code == 1
    assert "the login of before stays" in result.stderr
    assert again.stored == BEFORE


def test_a_login_that_is_refused_plays_replaces_one_that_is_over(stage):
    stage.store(BEFORE | {"authorized_at": iso(datetime.now(UTC) - timedelta(days=181))})
    stage.spotify.pages = [NOT_REGISTERED]

    result = stage.login()

    assert "the login is stored" in result.stderr
    assert stage.stored["refresh_token"] == GRANT


@pytest.mark.parametrize(
    ("refused", "kept"),
    [
        (Credentials.model_validate(BEFORE).fingerprint, GRANT),
        ("another", BEFORE["refresh_token"]),
    ],
    ids=["this one", "one before"],
)
def test_a_login_that_is_refused_plays_replaces_one_that_is_dead(again, target, refused, kept):
    now = datetime.now(UTC)
    again.store(BEFORE | {"authorized_at": iso(now)})
    refusal = LoginRefusal(fingerprint=refused, since=now, tried_at=now)
    states = ListenerStates(target.client("dynamodb"), LISTENER_STATES)
    states.save("me", ListenerState(needs_login=refusal))
    again.spotify.pages = [NOT_REGISTERED]

    again.login()

    assert again.stored["refresh_token"] == kept


def test_a_login_stays_where_nobody_knows_whether_it_was_refused(again, target):
    target.client("dynamodb").put_item(
        TableName=LISTENER_STATES, Item={"listener": {"S": "me"}, "state": {"S": "broken"}}
    )
    again.spotify.pages = [NOT_REGISTERED]

    again.login()

    assert again.stored == BEFORE


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"Too many requests", 429), "Spotify takes no calls of this app until 20"),
        (Reply(b"upstream connect error", 503), "status 503: upstream connect error"),
        (Reply(b"<html>", 200), "gave no page that can be read"),
    ],
    ids=["429", "503", "no answer of Spotify"],
)
def test_what_passes_by_itself_loses_no_login(again, reply, words):
    again.spotify.pages = [reply]

    result = again.login()

    assert result.exit_code == 0
    assert "It could not be tried yet: " in result.stdout
    assert words in result.stdout
    assert again.stored["refresh_token"] == GRANT


@pytest.fixture
def failing(target, monkeypatch):
    """Give a reply of Spotify after which an operation of DynamoDB fails."""
    dynamodb, make = target.client("dynamodb"), target.client
    monkeypatch.setitem(
        vars(target), "client", lambda name: dynamodb if name == "dynamodb" else make(name)
    )

    def reply_before(reply, operation, error):
        def fail(**_):
            raise error

        def answer(_):
            dynamodb.meta.events.register(f"before-call.dynamodb.{operation}", fail)
            return reply

        return answer

    return reply_before


TRADED = a_grant("BQ-secret", rotated_to="AQ-secret")
AWS_FAILS = ClientError({"Error": {"Code": "InternalServerError"}}, "GetItem")
AWS_IS_AWAY = EndpointConnectionError(endpoint_url="https://db")


@pytest.mark.parametrize(
    ("page", "operation", "error", "words"),
    [
        (a_page(), "GetItem", AWS_FAILS, "InternalServerError"),
        (a_page(), "GetItem", AWS_IS_AWAY, "nothing answers at https://db"),
        (Reply(b"", 429), "UpdateItem", AWS_FAILS, "InternalServerError"),
        (a_page(), "UpdateItem", AWS_FAILS, "InternalServerError"),
    ],
    ids=["reading a block", "AWS away", "writing a block", "taking a block away"],
)
def test_where_aws_fails_during_the_trial_no_login_is_lost(
    again, apps, failing, *, page, operation, error, words
):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC) - timedelta(hours=1))
    again.spotify.tokens = [failing(TRADED, operation, error)]
    again.spotify.pages = [page]

    result = again.login()

    assert result.exit_code == 0
    assert "It could not be tried yet: " in result.stdout
    assert words in result.stdout
    assert again.stored["refresh_token"] == GRANT


def test_ctrl_c_during_the_trial_loses_no_login(again, failing):
    again.spotify.tokens = [failing(TRADED, "GetItem", KeyboardInterrupt())]

    result = again.login()

    assert result.exit_code == 130
    assert "plays: stopped: the login is stored, but was not tried" in result.stderr
    assert again.stored["refresh_token"] == GRANT


def test_a_login_stays_where_aws_does_not_tell_whether_it_was_refused(again, failing):
    again.spotify.pages = [failing(NOT_REGISTERED, "GetItem", AWS_FAILS)]

    result = again.login()

    assert "the login of before stays" in result.stderr
    assert again.stored == BEFORE


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            json_reply({"error": "invalid_grant", "error_description": "Invalid code"}, 400),
            "invalid_grant; run `plays login` again",
        ),
        (
            json_reply({"error": "invalid_client", "error_description": "Invalid client"}, 400),
            "compare client id, secret and redirect URI with the app's settings",
        ),
        (Reply(b"upstream connect error", 503), "no login was stored, run `plays login` later"),
        (Reply(b"", 429, {"Retry-After": "7"}), "Spotify takes no calls of this app until 20"),
        (a_grant("BQ-secret"), "Spotify gave no refresh token; run `plays login` again"),
    ],
    ids=["bad code", "bad app", "503", "429", "no refresh token"],
)
def test_a_code_that_is_not_traded_changes_nothing(again, reply, words):
    again.spotify.tokens = [reply]

    result = again.login()

    assert result.exit_code == 1
    assert words in result.stderr
    assert again.stored == BEFORE


# Blocks of the app


@pytest.fixture
def apps(aws):
    return SpotifyApps(aws.client("dynamodb"), SPOTIFY_APPS)


def test_a_block_is_remembered_for_all_that_call_as_the_app(again, apps):
    again.spotify.pages = [Reply(b"Too many requests", 429, {"Retry-After": "52531"})]
    now = datetime.now(UTC)

    told = json.loads(again.login("--json").stdout)

    until = apps.load(KNOWN_APP).blocked_until
    assert timedelta(0) <= until - now - timedelta(seconds=52_531) < timedelta(seconds=60)
    assert told["trouble"] == f"Spotify takes no calls of this app until {iso(until)}"
    assert told["plays_shown"] is None


def test_as_an_app_that_is_blocked_nobody_is_asked(again, apps):
    state = apps.throttle(KNOWN_APP, 3600, datetime.now(UTC))

    result = again.login()

    assert result.exit_code == 1
    assert f"takes no calls of this app until {iso(state.blocked_until)}; no login" in result.stderr
    assert (again.person.addresses, again.spotify.requests) == ([], [])
    assert again.stored == BEFORE


def test_a_code_is_not_traded_once_the_app_is_blocked(again, apps):
    def is_slow():
        apps.throttle(KNOWN_APP, 3600, datetime.now(UTC))
        again.person.allows()

    again.person.does = is_slow

    result = again.login()

    assert "Spotify takes no calls of this app until" in result.stderr
    assert again.spotify.requests == []
    assert again.stored == BEFORE


def test_a_block_of_the_token_endpoint_is_remembered_too(again, apps):
    again.spotify.tokens = [Reply(b"", 429, {"Retry-After": "52531"})]

    result = again.login()

    until = apps.load(KNOWN_APP).blocked_until
    assert until > datetime.now(UTC) + timedelta(hours=14)
    assert f"until {iso(until)}; no login was stored, run `plays login` then" in result.stderr


def test_a_block_that_is_over_is_forgotten_when_spotify_answers(again, apps):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC) - timedelta(hours=1))

    again.login()

    assert apps.load(KNOWN_APP).refusals == 0


def test_a_block_that_cannot_be_read_is_told_before_anybody_is_asked(again, apps, aws):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC))
    aws.client("dynamodb").update_item(
        TableName=SPOTIFY_APPS,
        Key={"app": {"S": fingerprint(KNOWN_APP)}},
        UpdateExpression="SET blocked_until = :odd",
        ExpressionAttributeValues={":odd": {"S": "soon"}},
    )

    result = again.login()

    assert "cannot be read: delete it" in result.stderr
    assert (again.person.addresses, again.stored) == ([], BEFORE)


# Secrets


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["for a person", "for a script"])
@pytest.mark.parametrize(
    "answers",
    [
        (a_grant("BQ-secret", rotated_to="AQ-secret"), a_page()),
        (a_grant("BQ-secret", rotated_to="AQ-secret"), Reply(b"BQ-secret is refused", 403)),
        (a_grant("BQ-secret", rotated_to="AQ-secret"), Reply(b"BQ-secret is refused", 401)),
        (a_grant("BQ-secret", rotated_to="AQ-secret"), Reply(b"BQ-secret is refused", 500)),
        (Reply(b"AQC-secret of app-secret is refused", 500), a_page()),
        (
            json_reply({"error": "invalid_grant", "error_description": "AQC-secret is dead"}, 400),
            a_page(),
        ),
        (
            json_reply({"error": "invalid_client", "error_description": "app-secret?"}, 400),
            a_page(),
        ),
        (json_reply({"access_token": "BQ-secret\n", "refresh_token": "AQ-secret"}), a_page()),
        (a_grant("BQ-secret"), a_page()),
    ],
    ids=[
        *("works", "plays refused", "token refused", "plays fail", "trade fails"),
        *("code refused", "app refused", "odd tokens", "half a grant"),
    ],
)
def test_no_secret_reaches_terminal_or_log(again, capfd, caplog, words, answers):
    again.spotify.tokens, again.spotify.pages = ([answer] for answer in answers)
    caplog.set_level("DEBUG")

    result = again.login(*words)

    told = f"{result.stdout} {result.stderr} {capfd.readouterr()} {result.exception!r}"
    logged = [
        record.getMessage() for record in caplog.records if not record.name.startswith("botocore")
    ]
    verifier = again.spotify.requests[0].form["code_verifier"]
    assert [secret for secret in (*SECRETS, verifier) if secret in f"{told} {logged}"] == []


def test_a_secret_cannot_be_an_argument(stage):
    result = stage.login("--client-secret", "app-secret")

    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_help_teaches_where_the_answer_comes_and_how_long_a_login_lives(plays):
    told = " ".join(plays("login", "--help").stdout.split())

    assert "http://127.0.0.1:8765/callback" in told
    assert "lives for six months" in told
