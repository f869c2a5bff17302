import json
import os
import signal
import socket
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
from tests.fakes.spotify import (
    Reply,
    a_grant,
    a_page,
    a_row,
    a_spotify_server,
    json_reply,
)
from tests.unit.cli.conftest import BUCKET, LISTENER_STATES, SPOTIFY_APPS
from tests.unit.cli.login_setup import (
    APP_SECRET,
    GRANT,
    LISTENER_SECRET,
    SECRETS,
    LoginSetup,
    Person,
    typing_on_stdin,
)

# A test of a refused login would hang if the login were not refused.
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
def setup(aws, target, plays, spotify, person):
    object.__setattr__(target, "variables", dict.fromkeys(target.variables, spotify.url))
    aws.client("secretsmanager").create_secret(Name=LISTENER_SECRET)
    return LoginSetup(plays, any_free(), aws, spotify, person)


@pytest.fixture
def returning(setup):
    """A listener who has a stored login."""
    setup.store(BEFORE)
    return setup


# A login that works


def test_a_login_stores_everything_that_polls_need(setup):
    began = datetime.now(UTC)

    result = setup.login("--client-id", APP)

    assert result.exit_code == 0, result.stderr
    login_stored = setup.stored
    authorized_at = datetime.fromisoformat(login_stored.pop("authorized_at"))
    assert login_stored == {"client_id": APP, "client_secret": "", "refresh_token": "AQ-secret"}
    assert began <= authorized_at <= datetime.now(UTC)
    assert authorized_at.utcoffset() == timedelta(0)


def test_a_login_prints_its_expiry_and_the_number_of_plays(setup):
    result = setup.login("--client-id", APP)

    until = (datetime.now(UTC) + timedelta(days=180)).strftime("%Y-%m-%d")
    assert result.stdout == (
        f"me is logged in until {until}; Spotify shows 2 plays.\n"
        "The next poll loads them; `plays poll --wait` does so now.\n"
    )


def test_json_holds_the_login_without_a_secret(setup):
    result = setup.login("--client-id", APP, "--json")

    shown = json.loads(result.stdout)
    lived = datetime.fromisoformat(shown["expires_at"]) - datetime.fromisoformat(
        shown["authorized_at"]
    )
    assert lived == timedelta(days=180)
    assert (shown["listener"], shown["client_id"]) == ("me", APP)
    assert (shown["plays_shown"], shown["trouble"]) == (2, None)
    assert "refresh_token" not in shown


def test_a_login_calls_the_token_endpoint_once_and_polls_once(setup):
    setup.login("--client-id", APP)

    token, poll = setup.spotify.requests
    assert token.form["code"] == "AQC-secret"
    assert token.form["redirect_uri"] == setup.person.asked["redirect_uri"]
    assert token.form["client_id"] == APP
    assert poll.headers["Authorization"] == "Bearer BQ-secret"


# A failed login deletes nothing


@pytest.fixture
def switches(setup, target, monkeypatch, tmp_path):
    """Record each switch of a simulated cloud: whether it deletes, and the requests before it."""
    asked = []
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    Memory(simulated={"me"}).save(tmp_path)
    real = dict.fromkeys(("real_spotify_api_url", "real_spotify_accounts_url"), setup.spotify.url)
    monkeypatch.setitem(vars(target), "state", SimpleNamespace(simulated=True, **real))

    def switch(_, *, start_over):
        asked.append((start_over, [request.path for request in setup.spotify.requests]))

    monkeypatch.setattr(cloud, "turn_to_real_spotify", switch)
    return asked


@pytest.mark.parametrize(
    ("words", "typed", "line"),
    [
        (("--listener", "anna"), "", "use me, or add this one with `plays listener add anna`"),
        ((), "", "no client id was given: type it, pass --client-id, or set SPOTIFY_CLIENT_ID"),
        (("--client-id", "a b"), "", "32 hexadecimal digits"),
        (("--client-id", APP, "--client-secret-stdin"), "", "but stdin is empty"),
        (("--client-id", APP, "--client-secret-stdin"), "app secret", "the client secret must"),
    ],
    ids=["unknown listener", "no id", "malformed id", "no secret", "malformed secret"],
)
def test_a_login_with_wrong_options_changes_nothing(setup, switches, words, typed, line):
    setup.store(BEFORE)
    setup.person.pastes(typed)

    result = setup.login("--start-over", *words)

    assert result.exit_code == 1
    assert line in result.stderr
    assert "app secret" not in result.stderr
    assert (switches, setup.person.urls, setup.spotify.requests) == ([], [], [])


def test_the_switch_to_the_real_spotify_follows_the_code_exchange(setup, switches):
    result = setup.login("--start-over", "--client-id", APP)

    assert result.exit_code == 0, result.stderr
    assert switches == [(True, ["/api/token"])]
    assert setup.stored["refresh_token"] == GRANT


@pytest.mark.parametrize(
    ("does", "code", "line"),
    [
        ("denies", 1, "Spotify gave no access (you declined), so no login was stored"),
        ("ignores_it", 1, "no answer from Spotify's consent page within 1 s"),
        ("presses_ctrl_c", 130, "stopped: no login was stored, and nothing was changed"),
    ],
)
@pytest.mark.usefixtures("ctrl_c")
def test_without_consent_no_login_is_stored(setup, switches, does, code, line):
    setup.store(BEFORE)
    setup.person.does = getattr(setup.person, does)

    result = setup.login("--start-over", "--client-id", APP, "--timeout", "1")

    assert result.exit_code == code
    assert line in result.stderr
    assert (switches, setup.spotify.requests, setup.stored) == ([], [], BEFORE)


def test_ctrl_c_during_the_switch_to_the_real_spotify_stores_the_login(
    setup, switches, ctrl_c, monkeypatch
):
    monkeypatch.setattr(
        cloud, "turn_to_real_spotify", lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)
    )

    result = setup.login("--start-over", "--client-id", APP)

    assert result.exit_code == 130
    assert "the login is stored, but was not tested" in result.stderr
    assert "Stopping once the local cloud has started and the login is stored" in result.stderr
    assert setup.stored["refresh_token"] == GRANT


@pytest.mark.parametrize("stops", [True, False])
def test_a_failed_switch_to_the_real_spotify_stores_no_login(setup, switches, monkeypatch, stops):
    def fail(*_, **__):
        if stops:
            os.kill(os.getpid(), signal.SIGINT)
        raise LocalCloudError("it ended. `make run` finishes this; then run `plays login` again")

    monkeypatch.setattr(cloud, "turn_to_real_spotify", fail)

    result = setup.login("--start-over", "--client-id", APP)

    assert result.exit_code == 1
    assert "no login was stored: it ended. `make run` finishes this; then" in result.stderr
    assert "the login is stored" not in result.stderr.replace("and the login is stored ...", "")
    assert setup.stored is None


@pytest.fixture
def at_simulator(setup, switches, tmp_path, session):
    """The options for a login of anna, who has only real plays in a simulated cloud."""
    Memory(empty=True, simulated={"me"}).save(tmp_path)
    secret = LISTENER_SECRET.replace("/me", "/anna")
    session.client("secretsmanager").create_secret(Name=secret, SecretString="{}")
    session.client("s3").put_object(Bucket=BUCKET, Key="history/anna/my_spotify_data.zip")
    return ("--simulated", "--listener", "anna", "--client-id", "local-client")


def test_a_simulated_login_asks_before_it_mixes_plays(setup, at_simulator, tmp_path):
    result = setup.login(*at_simulator)

    assert result.exit_code == 1
    assert "would add simulated plays to those of anna: pass --yes" in result.stderr
    assert setup.person.urls == []
    assert Memory.load(tmp_path).simulated == {"me"}


def test_a_simulated_login_marks_the_listener_as_simulated(setup, at_simulator, tmp_path):
    result = setup.login(*at_simulator, "--yes")

    assert result.exit_code == 0, result.stderr
    assert Memory.load(tmp_path).simulated == {"me", "anna"}


# The app


def test_a_stored_client_id_of_the_wrong_form_is_ignored(setup):
    setup.store(BEFORE | {"client_id": "local-client"})
    setup.person.pastes(APP)

    result = setup.login()

    assert result.exit_code == 0, result.stderr
    assert setup.person.asked["client_id"] == APP
    assert setup.stored["client_secret"] == ""


def test_the_first_login_explains_how_to_create_an_app(setup):
    setup.person.pastes(APP)

    result = setup.login()

    assert setup.stored["client_id"] == APP
    assert "https://developer.spotify.com/dashboard" in result.stderr
    assert setup.person.asked["redirect_uri"] in result.stderr
    assert "User Management" in result.stderr
    assert "Premium" in result.stderr


def test_a_second_login_reuses_the_stored_app(returning):
    result = returning.login()

    assert result.exit_code == 0
    assert "Client" not in result.stderr
    assert returning.person.asked["client_id"] == KNOWN_APP
    assert returning.spotify.requests[0].headers["Authorization"].startswith("Basic ")
    assert returning.stored["client_secret"] == APP_SECRET
    assert returning.stored["refresh_token"] == GRANT


@pytest.mark.parametrize(("before", "shown"), [(None, "false"), (BEFORE, "true")])
def test_a_second_login_lets_the_person_change_the_account(setup, before, shown):
    setup.store(before or {})

    setup.login("--client-id", APP)

    assert setup.person.asked["show_dialog"] == shown


def test_another_app_does_not_inherit_the_stored_secret(returning):
    returning.login("--client-id", OTHER_APP)

    assert (returning.stored["client_id"], returning.stored["client_secret"]) == (OTHER_APP, "")


def test_the_client_secret_can_come_from_stdin(setup):
    setup.person.pastes("app-secret")

    setup.login("--client-id", APP, "--client-secret-stdin")

    assert setup.stored["client_secret"] == APP_SECRET


def test_id_and_secret_can_come_from_the_environment(setup, monkeypatch):
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", APP)
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "app-secret")

    setup.login()

    assert (setup.stored["client_id"], setup.stored["client_secret"]) == (APP, "app-secret")


def test_a_login_replaces_an_unreadable_secret(setup):
    setup.store(BEFORE | {"authorized_at": "once", "note": "kept"})

    result = setup.login("--client-id", APP)

    assert result.exit_code == 0
    assert setup.stored["refresh_token"] == GRANT
    assert setup.stored["note"] == "kept"


# The answer of the consent page


def test_the_redirect_url_can_be_pasted(setup):
    setup.person.does = lambda: setup.person.pastes("", "what is this?", setup.person.redirect())

    result = setup.login("--client-id", APP)

    assert setup.stored["refresh_token"] == GRANT
    assert "paste all of it" in result.stderr


def test_a_forged_answer_does_not_end_the_login(setup):
    def attack():
        setup.person.visits(setup.person.redirect(state="forged", code="AQC-forged"))
        setup.person.visits(setup.person.redirect(state="forged", code="", error="access_denied"))
        setup.person.allows()

    setup.person.does = attack

    setup.login("--client-id", APP)
    setup.person.join()

    assert [page.count("another login") for page in setup.person.pages] == [1, 1, 0]
    assert setup.stored["refresh_token"] == GRANT


def test_an_error_from_the_consent_page_is_printed(setup):
    setup.person.does = lambda: setup.person.visits(
        setup.person.redirect(code="", error="server_error")
    )

    assert "its reason: server_error" in setup.login("--client-id", APP).stderr


def test_option_no_browser_prints_the_consent_url(setup, monkeypatch):
    result = setup.login("--client-id", APP, "--no-browser", "--timeout", "0.1")

    assert setup.person.urls == []
    assert f"/authorize?client_id={APP}&" in result.stderr
    assert "Open Spotify's consent page" in result.stderr


def test_a_port_in_use_is_refused_before_the_consent_page(setup):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = setup.login("--port", str(port))

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: port {port} is in use")
    assert "--port" in result.stderr
    assert f"redirect URIs as well, such as http://127.0.0.1:{port + 1}/callback" in result.stderr
    assert setup.person.urls == []


# The test of a login


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        (NOT_REGISTERED, "dashboard > your app > Settings > User Management"),
        (NO_PREMIUM, "the account that owns the app has no active Premium: renew it"),
        (json_reply({"error": {"status": 403}}, 403), "Spotify gives no plays"),
    ],
    ids=["not registered", "no premium", "unknown"],
)
def test_a_first_login_is_stored_even_if_spotify_refuses_plays(setup, reply, remedy):
    setup.spotify.pages = [reply]

    result = setup.login("--client-id", APP)

    assert result.exit_code == 1
    assert remedy in result.stderr
    assert "the login is stored, and polls succeed once that is done" in result.stderr
    assert setup.stored["refresh_token"] == GRANT


def test_a_refused_login_does_not_replace_a_working_one(returning):
    returning.spotify.pages = [NOT_REGISTERED]

    result = returning.login()

    assert result.exit_code == 1
    assert "the earlier login is kept" in result.stderr
    assert returning.stored == BEFORE


def test_a_refused_login_replaces_an_expired_one(setup):
    setup.store(BEFORE | {"authorized_at": iso(datetime.now(UTC) - timedelta(days=181))})
    setup.spotify.pages = [NOT_REGISTERED]

    result = setup.login()

    assert "the login is stored" in result.stderr
    assert setup.stored["refresh_token"] == GRANT


@pytest.mark.parametrize(
    ("refused", "kept"),
    [
        (Credentials.model_validate(BEFORE).fingerprint, GRANT),
        ("another", BEFORE["refresh_token"]),
    ],
    ids=["the stored one", "an earlier one"],
)
def test_a_refused_login_replaces_another_refused_one(returning, target, refused, kept):
    now = datetime.now(UTC)
    returning.store(BEFORE | {"authorized_at": iso(now)})
    refusal = LoginRefusal(fingerprint=refused, since=now, tried_at=now)
    states = ListenerStates(target.client("dynamodb"), LISTENER_STATES)
    states.save("me", ListenerState(needs_login=refusal))
    returning.spotify.pages = [NOT_REGISTERED]

    returning.login()

    assert returning.stored["refresh_token"] == kept


def test_a_refused_login_does_not_replace_one_with_unreadable_state(returning, target):
    target.client("dynamodb").put_item(
        TableName=LISTENER_STATES, Item={"listener": {"S": "me"}, "state": {"S": "broken"}}
    )
    returning.spotify.pages = [NOT_REGISTERED]

    returning.login()

    assert returning.stored == BEFORE


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"Too many requests", 429), "Spotify rate-limits this app until 20"),
        (Reply(b"upstream connect error", 503), "status 503: upstream connect error"),
        (Reply(b"<html>", 200), "holds no list of plays"),
    ],
    ids=["429", "503", "not from Spotify"],
)
def test_a_login_is_stored_if_the_test_poll_fails_temporarily(returning, reply, words):
    returning.spotify.pages = [reply]

    result = returning.login()

    assert result.exit_code == 0
    assert "The login could not be tested yet: " in result.stdout
    assert words in result.stdout
    assert returning.stored["refresh_token"] == GRANT


@pytest.fixture
def failing(target, monkeypatch):
    """Return a reply of Spotify after which an operation of DynamoDB fails."""
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


EXCHANGED = a_grant("BQ-secret", rotated_to="AQ-secret")
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
    ids=["reading a rate limit", "AWS away", "writing a rate limit", "clearing a rate limit"],
)
def test_a_login_is_stored_if_aws_fails_during_the_test(
    returning, apps, failing, *, page, operation, error, words
):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC) - timedelta(hours=1))
    returning.spotify.tokens = [failing(EXCHANGED, operation, error)]
    returning.spotify.pages = [page]

    result = returning.login()

    assert result.exit_code == 0
    assert "The login could not be tested yet: " in result.stdout
    assert words in result.stdout
    assert returning.stored["refresh_token"] == GRANT


def test_a_login_is_stored_after_ctrl_c_during_the_test(returning, failing):
    returning.spotify.tokens = [failing(EXCHANGED, "GetItem", KeyboardInterrupt())]

    result = returning.login()

    assert result.exit_code == 130
    assert "plays: stopped: the login is stored, but was not tested" in result.stderr
    assert returning.stored["refresh_token"] == GRANT


def test_a_refused_login_does_not_replace_another_if_dynamodb_fails(returning, failing):
    returning.spotify.pages = [failing(NOT_REGISTERED, "GetItem", AWS_FAILS)]

    result = returning.login()

    assert "the earlier login is kept" in result.stderr
    assert returning.stored == BEFORE


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
        (Reply(b"upstream connect error", 503), "no login was stored: run `plays login` later"),
        (Reply(b"", 429, {"Retry-After": "7"}), "Spotify rate-limits this app until 20"),
        (a_grant("BQ-secret"), "Spotify gave no refresh token: run `plays login` again"),
    ],
    ids=["bad code", "bad app", "503", "429", "no refresh token"],
)
def test_a_failed_code_exchange_stores_no_login(setup, switches, reply, words):
    setup.store(BEFORE)
    setup.spotify.tokens = [reply]

    result = setup.login("--start-over", "--client-id", APP)

    assert result.exit_code == 1
    assert words in result.stderr
    assert (switches, setup.stored) == ([], BEFORE)


# Rate limits of the app


@pytest.fixture
def apps(aws):
    return SpotifyApps(aws.client("dynamodb"), SPOTIFY_APPS)


def test_a_rate_limit_of_the_test_poll_is_stored(returning, apps):
    returning.spotify.pages = [Reply(b"Too many requests", 429, {"Retry-After": "52531"})]
    now = datetime.now(UTC)

    shown = json.loads(returning.login("--json").stdout)

    until = apps.load(KNOWN_APP).blocked_until
    assert timedelta(0) <= until - now - timedelta(seconds=52_531) < timedelta(seconds=60)
    assert shown["trouble"] == f"Spotify rate-limits this app until {iso(until)}"
    assert shown["plays_shown"] is None


def test_a_rate_limited_app_is_refused_before_the_consent_page(returning, apps):
    state = apps.throttle(KNOWN_APP, 3600, datetime.now(UTC))

    result = returning.login()

    assert result.exit_code == 1
    assert f"rate-limits this app until {iso(state.blocked_until)}, so no login" in result.stderr
    assert (returning.person.urls, returning.spotify.requests) == ([], [])
    assert returning.stored == BEFORE


def test_a_rate_limit_during_the_consent_stops_the_exchange(returning, apps):
    def rate_limit_first():
        apps.throttle(KNOWN_APP, 3600, datetime.now(UTC))
        returning.person.allows()

    returning.person.does = rate_limit_first

    result = returning.login()

    assert "Spotify rate-limits this app until" in result.stderr
    assert returning.spotify.requests == []
    assert returning.stored == BEFORE


def test_a_rate_limit_of_the_token_endpoint_is_stored(returning, apps):
    returning.spotify.tokens = [Reply(b"", 429, {"Retry-After": "52531"})]

    result = returning.login()

    until = apps.load(KNOWN_APP).blocked_until
    assert until > datetime.now(UTC) + timedelta(hours=14)
    assert (
        f"until {iso(until)}, so no login was stored: run `plays login` after that" in result.stderr
    )


def test_a_successful_poll_clears_an_expired_rate_limit(returning, apps):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC) - timedelta(hours=1))

    returning.login()

    assert apps.load(KNOWN_APP).refusals == 0


def test_a_login_fails_before_the_consent_page_if_the_rate_limit_is_unreadable(
    returning, apps, aws
):
    apps.throttle(KNOWN_APP, 1, datetime.now(UTC))
    aws.client("dynamodb").update_item(
        TableName=SPOTIFY_APPS,
        Key={"app": {"S": fingerprint(KNOWN_APP)}},
        UpdateExpression="SET blocked_until = :odd",
        ExpressionAttributeValues={":odd": {"S": "soon"}},
    )

    result = returning.login()

    assert "cannot be read: delete it" in result.stderr
    assert (returning.person.urls, returning.stored) == ([], BEFORE)


# Secrets


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
        *("works", "plays refused", "token refused", "plays fail", "exchange fails"),
        *("code refused", "app refused", "malformed tokens", "half a grant"),
    ],
)
def test_no_secret_reaches_terminal_or_log(returning, capfd, caplog, answers):
    returning.spotify.tokens, returning.spotify.pages = ([answer] for answer in answers)
    caplog.set_level("DEBUG")

    result = returning.login()

    shown = f"{result.stdout} {result.stderr} {capfd.readouterr()} {result.exception!r}"
    logged = [
        record.getMessage() for record in caplog.records if not record.name.startswith("botocore")
    ]
    verifier = returning.spotify.requests[0].form["code_verifier"]
    assert [secret for secret in (*SECRETS, verifier) if secret in f"{shown} {logged}"] == []


def test_no_option_takes_the_client_secret_as_an_argument(setup):
    result = setup.login("--client-secret", "app-secret")

    assert result.exit_code == 2
    assert "No such option" in result.stderr


def test_help_names_the_redirect_uri_and_when_a_login_expires(plays):
    shown = " ".join(plays("login", "--help").stdout.split())

    assert "http://127.0.0.1:8765/callback" in shown
    assert "expires after six months" in shown
