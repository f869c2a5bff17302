"""The deployed collector: moto's AWS, and a Spotify that answers by HTTP."""

import json

import pytest
from botocore.exceptions import ClientError

from services.collector.handler import CollectorSettings, handler, wire
from shared.aws import client
from shared.errors import MessageError, SettingsError
from shared.models import PlayBatch
from tests.fakes.aws import BUCKET
from tests.fakes.spotify import a_page, a_row, a_spotify_server

LOGIN = {
    "client_id": "app",
    "refresh_token": "AQ-1",
    "authorized_at": "2026-11-01T00:00:00Z",
}


@pytest.fixture
def environment(cloud, monkeypatch):
    with a_spotify_server() as spotify:
        spotify.pages = [a_page(a_row())]
        variables = {
            "LISTENER_SECRET_PREFIX": "plays/listener/",
            "LISTENER_STATE_TABLE": "listener-state",
            "SPOTIFY_APP_TABLE": "spotify-app",
            "ARCHIVE_BUCKET": BUCKET,
            "COLLECTED_PLAYS_QUEUE_URL": cloud.queue_url,
            "SPOTIFY_API_URL": f"{spotify.url}/v1",
            "SPOTIFY_ACCOUNTS_URL": spotify.url,
        }
        for name, value in {"POWERTOOLS_SERVICE_NAME": "collector", **variables}.items():
            monkeypatch.setenv(name, value)
        yield variables


def test_a_poll_archives_and_publishes_new_plays_and_emits_metrics(
    environment, cloud, context, capsys
):
    client("secretsmanager").put_secret_value(
        SecretId="plays/listener/me", SecretString=json.dumps(LOGIN)
    )

    polls = [handler({"listener": "me"}, context) for _ in range(2)]

    first, second = map(PlayBatch.model_validate_json, sorted(cloud.messages()))
    assert [len(first.plays), len(second.plays)] == [1, 0]
    assert cloud.keys() == [first.origin]
    assert [(poll["status"], poll["new"]) for poll in polls] == [("polled", 1), ("polled", 0)]
    assert {type(value) for poll in polls for value in poll.values()} <= {str, int, bool}
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["PlaysNew"] for line in lines if "_aws" in line] == [[1], [0]]


@pytest.mark.parametrize("listener", ["me", "nobody"], ids=["empty secret", "no secret"])
def test_a_listener_without_a_login_is_not_polled(environment, context, listener):
    assert handler({"listener": listener}, context)["status"] == "not-logged-in"


def test_a_poll_fails_if_the_login_secret_is_marked_for_deletion(environment):
    client("secretsmanager").delete_secret(SecretId="plays/listener/me")

    with pytest.raises(ClientError, match="InvalidRequestException"):
        wire().poll("me")


@pytest.mark.parametrize(
    "event",
    [{}, {"listener": None}, {"listener": "Not A Name"}, {"listener": "../me"}],
    ids=["no listener", "null", "spaces", "path"],
)
def test_an_event_that_names_no_listener_is_refused(event, context):
    with pytest.warns(UserWarning, match="No application metrics"), pytest.raises(MessageError):
        handler(event, context)


def test_the_collector_settings_match_the_deployed_environment_variables(environment):
    assert {name.upper() for name in CollectorSettings.model_fields} == set(environment)


def test_a_missing_environment_variable_is_named_in_the_error(environment, monkeypatch):
    monkeypatch.delenv("ARCHIVE_BUCKET")

    with pytest.raises(SettingsError, match="ARCHIVE_BUCKET"):
        wire()


def test_the_collector_is_built_once_per_lambda_container(environment):
    assert wire() is wire()
