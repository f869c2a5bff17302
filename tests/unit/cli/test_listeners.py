import json
from datetime import UTC, datetime, timedelta

import pytest

from cli.listeners import Listeners, Trouble
from services.collector.credentials import Credentials
from services.collector.state import LastError, ListenerState, ListenerStates, LoginRefusal
from shared.spotify.rate_limits import SpotifyApps, fingerprint
from tests.unit.cli.conftest import LISTENER_SECRETS, LISTENER_STATES, SPOTIFY_APPS

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
AN_HOUR = timedelta(hours=1)
LOGIN = {"client_id": "app", "refresh_token": "hidden", "authorized_at": "2026-06-30T12:00:00Z"}
FINGERPRINT = Credentials.model_validate(LOGIN).fingerprint


@pytest.fixture
def log_in(target):
    """Store a listener's login."""

    def store(listener="me", **changes):
        target.client("secretsmanager").create_secret(
            Name=f"{LISTENER_SECRETS}{listener}", SecretString=json.dumps(LOGIN | changes)
        )

    return store


@pytest.fixture
def know(target):
    """Store the collector's state of a listener."""

    def store(listener="me", **known):
        states = ListenerStates(target.client("dynamodb"), LISTENER_STATES)
        states.save(listener, ListenerState(**known))

    return store


@pytest.fixture
def rate_limit(target):
    """Rate-limit an app for an hour."""

    def throttle(at, app="app"):
        SpotifyApps(target.client("dynamodb"), SPOTIFY_APPS).throttle(app, 3_600, at)

    return throttle


@pytest.fixture
def polling_state(target):
    """Return the function that reads the state of me at NOW."""
    return lambda: Listeners(target).polling_states(NOW)["me"]


def test_a_login_lasts_180_days_from_the_consent(log_in, polling_state):
    log_in()

    assert polling_state().token_days_left == 179


def test_an_expired_login_has_no_days_left(log_in, polling_state):
    log_in(authorized_at="2025-12-31T12:00:00Z")

    assert polling_state().token_days_left == 0


@pytest.mark.parametrize(
    "value", ["{}", '{"refresh_token": "hidden"}', "not json"], ids=["empty", "half", "unreadable"]
)
def test_without_a_readable_login_the_days_left_are_unknown(target, polling_state, value):
    target.client("secretsmanager").create_secret(Name=f"{LISTENER_SECRETS}me", SecretString=value)

    assert polling_state().token_days_left is None


def test_a_secret_without_a_value_is_not_a_login(target, polling_state):
    target.client("secretsmanager").create_secret(Name=f"{LISTENER_SECRETS}me")

    assert polling_state().token_days_left is None


def test_secrets_without_the_listener_prefix_are_ignored(target, log_in):
    log_in("zoe")
    log_in("me")
    target.client("secretsmanager").create_secret(
        Name="spotify-pipeline/database/reader", SecretString="{}"
    )

    assert list(Listeners(target).polling_states(NOW)) == ["me", "zoe"]


def test_the_status_lists_a_removed_listener_without_a_polling_state(plays, target, log_in):
    log_in("me")
    log_in("anna", authorized_at="2025-12-31T12:00:00Z")
    object.__setattr__(target, "removed", {"anna"})

    found = json.loads(plays("status", "--json").stdout)

    assert (list(found["token_days_left"]), found["removed_listeners"]) == (["me"], ["anna"])


def test_an_upload_for_a_removed_listener_is_refused(plays, target, log_in, tmp_path):
    log_in("me")
    log_in("anna")
    object.__setattr__(target, "removed", {"anna"})
    (tmp_path / "a.zip").touch()

    result = plays("upload", str(tmp_path / "a.zip"), "--listener", "anna")

    assert result.exit_code == 1
    assert "there is no listener anna: use me" in result.stderr


def test_before_the_first_poll_the_polling_state_is_empty(log_in, polling_state):
    log_in()

    found = polling_state()

    assert (found.blocked_until, found.needs_login_since, found.answered_at) == (None, None, None)


@pytest.mark.parametrize(
    ("at", "shown"), [(NOW, NOW + AN_HOUR), (NOW - AN_HOUR, None)], ids=["current", "over"]
)
def test_a_rate_limit_is_shown_until_it_ends(log_in, rate_limit, know, polling_state, *, at, shown):
    log_in()
    rate_limit(at)
    know(polled_at=NOW - 2 * AN_HOUR)

    found = polling_state()

    assert (found.blocked_until, found.answered_at) == (shown, NOW - 2 * AN_HOUR)


def test_another_apps_rate_limit_is_not_shown(log_in, rate_limit, polling_state):
    log_in()
    rate_limit(NOW, app="another")

    assert polling_state().blocked_until is None


def test_without_a_login_no_rate_limit_is_shown(target, rate_limit, polling_state):
    target.client("secretsmanager").create_secret(Name=f"{LISTENER_SECRETS}me")
    rate_limit(NOW)

    assert polling_state().blocked_until is None


@pytest.mark.parametrize(
    ("fingerprint", "shown"),
    [(FINGERPRINT, NOW - AN_HOUR), ("another", None)],
    ids=["current login", "earlier login"],
)
def test_a_refused_login_is_shown_until_the_next_login(
    log_in, know, polling_state, fingerprint, shown
):
    log_in()
    refusal = LoginRefusal(fingerprint=fingerprint, since=NOW - AN_HOUR, tried_at=NOW)
    know(needs_login=refusal)

    assert polling_state().needs_login_since == shown


@pytest.mark.parametrize(
    ("authorized_at", "shown"),
    [(NOW - AN_HOUR, True), (NOW + AN_HOUR, False)],
    ids=["current login", "earlier login"],
)
def test_an_error_is_shown_until_the_next_login(log_in, know, polling_state, authorized_at, shown):
    log_in(authorized_at=authorized_at.isoformat())
    know(last_error=LastError(kind="forbidden", message="User not registered", at=NOW))

    trouble = Trouble(kind="forbidden", message="User not registered", at=NOW)
    assert polling_state().last_error == (trouble if shown else None)


def test_an_unreadable_listener_state_does_not_hide_the_login(target, log_in, polling_state):
    log_in()
    target.client("dynamodb").put_item(
        TableName=LISTENER_STATES, Item={"listener": {"S": "me"}, "state": {"S": "broken"}}
    )

    found = polling_state()

    assert found.token_days_left == 179
    assert "state of listener me cannot be read: delete its item" in found.last_error.message


@pytest.fixture
def break_app(target, rate_limit):
    """Make the state of the app unreadable."""
    rate_limit(NOW)
    target.client("dynamodb").update_item(
        TableName=SPOTIFY_APPS,
        Key={"app": {"S": fingerprint("app")}},
        UpdateExpression="SET blocked_until = :odd",
        ExpressionAttributeValues={":odd": {"S": "soon"}},
    )


def test_an_unreadable_app_state_does_not_hide_the_login(break_app, log_in, know, polling_state):
    log_in()
    know(polled_at=NOW)

    found = polling_state()

    assert found.block_unknown == (
        f"the state of Spotify app {fingerprint('app')} cannot be read: delete its item "
        "in the table spotify-app"
    )
    assert (found.token_days_left, found.blocked_until, found.answered_at) == (179, None, NOW)


def test_the_status_says_that_a_rate_limit_is_unknown(plays, break_app, log_in):
    log_in()
    log_in("zoe", client_id="another")

    found = json.loads(plays("status", "--json").stdout)

    assert "cannot be read" in found["block_unknown"]["me"]
    assert found["block_unknown"]["zoe"] is None


def test_clear_refusals_keeps_the_time_of_spotifys_last_answer(
    target, log_in, rate_limit, know, polling_state
):
    log_in()
    rate_limit(NOW)
    refusal = LoginRefusal(fingerprint=FINGERPRINT, since=NOW, tried_at=NOW)
    know(
        polled_at=NOW,
        needs_login=refusal,
        last_error=LastError(kind="login-refused", message="invalid_grant", at=NOW),
    )

    Listeners(target).clear_refusals()

    found = polling_state()
    assert (found.blocked_until, found.needs_login_since, found.last_error) == (None, None, None)
    assert found.answered_at == NOW


def test_clear_refusals_writes_nothing_for_listeners_without_refusals(target, log_in, know):
    log_in()
    target.client("secretsmanager").create_secret(Name=f"{LISTENER_SECRETS}zoe")

    Listeners(target).clear_refusals()

    assert target.client("dynamodb").scan(TableName=LISTENER_STATES)["Items"] == []


def test_the_status_has_rate_limits_and_refusals_by_listener(plays, log_in, rate_limit, know):
    now = datetime.now(UTC)
    log_in()
    log_in("zoe", client_id="another")
    rate_limit(now)
    know(
        needs_login=LoginRefusal(fingerprint=FINGERPRINT, since=NOW, tried_at=NOW),
        polled_at=NOW,
        last_error=LastError(kind="failed", message="no answer", at=NOW),
    )

    found = json.loads(plays("status", "--json").stdout)

    assert list(found["token_days_left"]) == ["me", "zoe"]
    assert found["blocked_until"]["me"] > now.isoformat()[:19]
    assert found["blocked_until"]["zoe"] is None
    assert found["needs_login_since"] == {"me": "2026-07-01T12:00:00.000Z", "zoe": None}
    assert found["answered_at"] == {"me": "2026-07-01T12:00:00.000Z", "zoe": None}
    error = {"kind": "failed", "message": "no answer", "at": "2026-07-01T12:00:00.000Z"}
    assert found["last_error"] == {"me": error, "zoe": None}
