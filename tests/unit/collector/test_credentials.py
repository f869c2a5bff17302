import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from services.collector.credentials import Credentials, CredentialStore
from shared.aws import client
from shared.errors import SettingsError

LOGIN_AT = datetime(2026, 6, 1, tzinfo=UTC)
WRITTEN = {
    "client_id": "app",
    "client_secret": "s-hidden",
    "refresh_token": "AQ-hidden",
    "authorized_at": "2026-06-01T00:00:00Z",
}


@pytest.fixture
def store(cloud):
    return CredentialStore(client("secretsmanager"), "plays/listener/")


def without(name: str) -> str:
    """Return the secret without a field."""
    return json.dumps({key: value for key, value in WRITTEN.items() if key != name})


def write(text: str) -> None:
    client("secretsmanager").put_secret_value(SecretId="plays/listener/me", SecretString=text)


def stored() -> dict[str, Any]:
    found = client("secretsmanager").get_secret_value(SecretId="plays/listener/me")
    return json.loads(found["SecretString"])


def test_credentials_are_parsed_from_the_secret_that_a_login_wrote(store):
    write(json.dumps(WRITTEN))

    assert store.load("me") == Credentials(
        client_id="app",
        client_secret="s-hidden",  # noqa: S106 - no real one
        refresh_token="AQ-hidden",  # noqa: S106 - no real one
        authorized_at=LOGIN_AT,
    )


@pytest.mark.parametrize(
    "text",
    [
        "AQ-hidden",
        "[]",
        '"AQ-hidden"',
        without("client_id"),
        without("authorized_at"),
        json.dumps(WRITTEN | {"refresh_token": "AQ\nhidden"}),
        json.dumps(WRITTEN | {"refresh_token": ["AQ-hidden"]}),
        json.dumps(WRITTEN | {"authorized_at": "2026-06-01T00:00:00"}),
        json.dumps(WRITTEN | {"authorized_at": "9999-12-31T00:00:00Z"}),
        "[" * 60_000,
        json.dumps(WRITTEN | {"note": "\ud800"}),
        json.dumps(WRITTEN | {"note": float("nan")}),
    ],
    ids=[
        *("no json", "list", "string", "no app", "no time", "line break", "no string"),
        *("no time zone", "far off", "deep", "lone surrogate", "no JSON number"),
    ],
)
def test_the_error_of_an_unreadable_secret_hides_its_value(store, text):
    write(text)

    with pytest.raises(SettingsError, match=r"plays/listener/me .* run `plays login`") as error:
        store.load("me")

    assert "hidden" not in str(error.value)
    # The errors of pydantic hold the text.
    assert error.value.__context__ is None


def test_credentials_of_an_app_without_a_secret_have_an_empty_secret(store):
    write(without("client_secret"))

    assert store.load("me").client_secret == ""


def test_saving_a_rotated_token_keeps_unknown_fields(store):
    write(json.dumps(WRITTEN | {"scope": "user-read-recently-played"}))

    store.rotate("me", store.load("me"), "AQ-2")

    assert stored() == WRITTEN | {"refresh_token": "AQ-2", "scope": "user-read-recently-played"}


@pytest.mark.parametrize(
    "meanwhile",
    [{"refresh_token": "AQ-new"}, {"refresh_token": ""}],
    ids=["another login", "no login"],
)
def test_a_rotated_token_does_not_overwrite_a_newer_login(store, meanwhile):
    write(json.dumps(WRITTEN))
    before = store.load("me")
    write(json.dumps(WRITTEN | meanwhile))

    kept = store.rotate("me", before, "AQ-2")

    assert stored() == WRITTEN | meanwhile
    assert kept == before


def test_printing_credentials_hides_their_secrets():
    credentials = Credentials.model_validate(WRITTEN)

    assert "hidden" not in f"{credentials} {credentials!r} {credentials.fingerprint}"


@pytest.mark.parametrize(("days", "left"), [(0, 180), (30.5, 149.5), (180, 0), (400, 0)])
def test_a_login_expires_after_180_days(days, left):
    credentials = Credentials.model_validate(WRITTEN)

    assert credentials.days_left(LOGIN_AT + timedelta(days=days)) == left


# Saving a login


def a_login(**changes) -> Credentials:
    return Credentials.model_validate(
        WRITTEN | {"refresh_token": "AQ-2", "authorized_at": "2026-11-23T08:30:00Z"} | changes
    )


def test_a_saved_login_is_loaded_unchanged(store):
    store.save("me", a_login())

    assert store.load("me") == a_login()


def test_saving_a_login_keeps_unknown_fields(store):
    write(json.dumps(WRITTEN | {"scope": "user-read-recently-played"}))

    store.save("me", a_login(client_secret=""))

    login = a_login(client_secret="").model_dump(mode="json")
    assert stored() == login | {"scope": "user-read-recently-played"}


@pytest.mark.parametrize("text", ["AQ-hidden", "[]", "{}", " "])
def test_a_login_overwrites_an_unreadable_secret(store, text):
    write(text)

    store.save("me", a_login())

    assert store.load("me") == a_login()


@pytest.mark.parametrize(
    "act", [lambda store: store.require("anna"), lambda store: store.save("anna", a_login())]
)
def test_saving_a_login_fails_if_the_listener_has_no_secret(store, act):
    with pytest.raises(SettingsError, match="`plays listener add anna`"):
        act(store)


def test_a_secret_without_a_value_means_no_login_yet(store):
    assert store.load("me") is None

    store.require("me")


def test_a_secret_denied_by_iam_is_not_reported_as_missing():
    forbidden = boto3.client("secretsmanager", region_name="eu-central-1")
    store = CredentialStore(forbidden, "plays/listener/")

    with Stubber(forbidden) as answers:
        answers.add_client_error("describe_secret", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            store.require("me")
