"""Parameters and secrets for the functions: logins at the database and at the simulator."""

import json
from datetime import UTC, datetime

from infra.cdk.config import PipelineConfig
from infra.cdk.database import DATABASE, Role
from infra.local.aws import LocalAws, client
from infra.local.memory import Memory
from infra.local.ports import HOST
from infra.local.simulators import account
from shared.archive import DEFAULT_LISTENER
from shared.models import iso
from shared.postgres import Address


def put_database(config: PipelineConfig, aws: LocalAws, memory: Memory) -> None:
    """Store the host of Postgres and the login of each role, before anything is deployed."""
    ssm = client("ssm", aws)
    ssm.put_parameter(
        Name=config.database_host_parameter, Value=HOST, Type="String", Overwrite=True
    )
    passwords: dict[Role, str] = {
        "migrator": memory.migrator_password,
        "loader": memory.loader_password,
        "reader": memory.reader_password,
    }
    for role, password in passwords.items():
        address = Address(HOST, memory.ports.postgres, DATABASE, role, password)
        ssm.put_parameter(
            Name=config.database_login_parameter(role),
            Value=address.login,
            Type="SecureString",
            Overwrite=True,
        )


def put_simulated_login(config: PipelineConfig, aws: LocalAws) -> None:
    """Store a login at the simulator for the default listener, unless there is a login already."""
    if DEFAULT_LISTENER not in config.listeners:
        return
    name = f"{config.listener_secret_prefix}{DEFAULT_LISTENER}"
    if _value(aws, name):
        return
    login = {
        "client_id": account.CLIENT_ID,
        "client_secret": account.CLIENT_SECRET,
        "refresh_token": account.REFRESH_TOKEN,
        "authorized_at": iso(datetime.now(UTC)),
    }
    client("secretsmanager", aws).put_secret_value(SecretId=name, SecretString=json.dumps(login))


def stored_logins(config: PipelineConfig, aws: LocalAws) -> dict[str, str]:
    """Return the secrets of listeners that have a value, by their names."""
    names = [f"{config.listener_secret_prefix}{listener}" for listener in config.listeners]
    return {name: value for name in names if (value := _value(aws, name))}


def restore_logins(logins: dict[str, str], aws: LocalAws) -> None:
    """Restore logins that a deployment has emptied.

    MiniStack replaces the secret of a listener who was removed from the deployment, then added
    again. AWS would refuse that deployment.
    """
    for name, value in logins.items():
        if not _value(aws, name):
            client("secretsmanager", aws).put_secret_value(SecretId=name, SecretString=value)


def drop_simulated_login(config: PipelineConfig, aws: LocalAws) -> None:
    """Delete a login at the simulator, because the real Spotify would refuse it; keep any other."""
    name = f"{config.listener_secret_prefix}{DEFAULT_LISTENER}"
    if f'"{account.CLIENT_ID}"' in _value(aws, name):
        client("secretsmanager", aws).put_secret_value(SecretId=name, SecretString="{}")


def _value(aws: LocalAws, name: str) -> str:
    """Read a secret; empty if it has no value or does not exist."""
    secrets = client("secretsmanager", aws)
    try:
        return str(secrets.get_secret_value(SecretId=name).get("SecretString", ""))
    except secrets.exceptions.ResourceNotFoundException:
        return ""
