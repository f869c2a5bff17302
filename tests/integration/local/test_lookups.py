import json

import pytest

from infra.local.aws import client
from infra.local.lookups import drop_simulated_login, put_simulated_login
from infra.local.ports import Ports
from infra.local.simulators.account import CLIENT_ID
from infra.local.wishes import Wishes, configuration
from services.collector.credentials import CredentialStore

OTHER = {
    "client_id": "app",
    "refresh_token": "AQ-1",
    "authorized_at": "2026-11-23T08:30:00Z",
}


@pytest.fixture
def config():
    return configuration(Wishes().deployment(Ports()))


@pytest.fixture
def secrets(ministack, config):
    secrets = client("secretsmanager", ministack.aws)
    secrets.create_secret(Name=f"{config.listener_secret_prefix}me")
    yield secrets
    secrets.delete_secret(
        SecretId=f"{config.listener_secret_prefix}me", ForceDeleteWithoutRecovery=True
    )


@pytest.fixture
def store(secrets, config):
    return CredentialStore(secrets, config.listener_secret_prefix)


def test_the_simulated_login_is_one_that_polls_can_use(ministack, config, store):
    put_simulated_login(config, ministack.aws)

    assert store.load("me").client_id == CLIENT_ID


def test_the_real_spotify_is_not_asked_for_the_simulated_listener(ministack, config, store):
    put_simulated_login(config, ministack.aws)

    drop_simulated_login(config, ministack.aws)

    assert store.load("me") is None


@pytest.mark.parametrize("change", [put_simulated_login, drop_simulated_login])
def test_the_login_of_a_person_stays(ministack, config, secrets, store, change):
    secrets.put_secret_value(
        SecretId=f"{config.listener_secret_prefix}me", SecretString=json.dumps(OTHER)
    )

    change(config, ministack.aws)

    assert store.load("me").client_id == "app"


def test_a_listener_without_a_login_has_none_to_drop(ministack, config, store):
    drop_simulated_login(config, ministack.aws)

    assert store.load("me") is None
