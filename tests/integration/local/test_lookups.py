import json

import pytest

from infra.local.aws import client
from infra.local.lookups import (
    drop_simulated_login,
    put_database,
    put_simulated_login,
    restore_logins,
    stored_logins,
)
from infra.local.memory import Memory
from infra.local.ports import Ports
from infra.local.run_options import RunOptions, configuration
from infra.local.simulators.account import CLIENT_ID
from services.collector.credentials import Credentials, CredentialStore

OTHER = {
    "client_id": "app",
    "refresh_token": "AQ-1",
    "authorized_at": "2026-11-23T08:30:00Z",
}


@pytest.fixture
def config():
    return configuration(RunOptions().deployment(Ports()))


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


def parameter(ministack, name: str) -> str:
    answer = client("ssm", ministack.aws).get_parameter(
        Name=f"/spotify-pipeline/database/{name}", WithDecryption=True
    )
    return answer["Parameter"]["Value"]


def test_the_ssm_login_of_each_role_has_the_current_postgres_port(ministack, config):
    put_database(config, ministack.aws, Memory(ports=Ports(postgres=15432)))
    memory = Memory(ports=Ports(postgres=15433))

    put_database(config, ministack.aws, memory)

    logins = {
        role: json.loads(parameter(ministack, role)) for role in ("migrator", "loader", "reader")
    }
    assert {role: login["password"] for role, login in logins.items()} == {
        "migrator": memory.migrator_password,
        "loader": memory.loader_password,
        "reader": memory.reader_password,
    }
    assert (logins["loader"]["username"], logins["loader"]["dbname"]) == ("loader", "spotify")
    assert {login["port"] for login in logins.values()} == {15433}
    assert parameter(ministack, "host") == "127.0.0.1"


def test_the_collector_can_read_the_simulated_spotify_login(ministack, config, store):
    put_simulated_login(config, ministack.aws)

    assert store.load("me").client_id == CLIENT_ID


def test_switching_to_the_real_spotify_deletes_the_simulated_login(ministack, config, store):
    put_simulated_login(config, ministack.aws)

    drop_simulated_login(config, ministack.aws)

    assert store.load("me") is None


@pytest.mark.parametrize("change", [put_simulated_login, drop_simulated_login])
def test_a_login_at_the_real_spotify_is_neither_replaced_nor_deleted(
    ministack, config, secrets, store, change
):
    secrets.put_secret_value(
        SecretId=f"{config.listener_secret_prefix}me", SecretString=json.dumps(OTHER)
    )

    change(config, ministack.aws)

    assert store.load("me").client_id == "app"


def test_a_spotify_login_that_a_deployment_emptied_is_restored(ministack, config, secrets, store):
    name = f"{config.listener_secret_prefix}me"
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(OTHER))
    logins = stored_logins(config, ministack.aws)
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    secrets.create_secret(Name=name)

    restore_logins(logins, ministack.aws)

    assert store.load("me").client_id == "app"


def test_a_spotify_login_that_changed_during_a_deployment_is_kept(
    ministack, config, secrets, store
):
    name = f"{config.listener_secret_prefix}me"
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(OTHER))
    logins = stored_logins(config, ministack.aws)
    rotated = OTHER | {"refresh_token": "AQ-2"}
    secrets.put_secret_value(SecretId=name, SecretString=json.dumps(rotated))

    restore_logins(logins, ministack.aws)

    assert store.load("me") == Credentials.model_validate(rotated)


def test_deleting_a_simulated_login_that_does_not_exist_does_nothing(ministack, config, store):
    drop_simulated_login(config, ministack.aws)

    assert store.load("me") is None
