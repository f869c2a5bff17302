"""SSM parameters and secrets of the functions: logins to Postgres and to the simulator."""

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
    """Store the host and the logins of Postgres as SSM parameters, before the deployment."""
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
    """Give the default listener a login to the simulator, unless a login is stored already."""
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
    """Return the stored logins of the listeners, by the name of their secret."""
    names = [f"{config.listener_secret_prefix}{listener}" for listener in config.listeners]
    return {name: value for name in names if (value := _value(aws, name))}


def restore_logins(logins: dict[str, str], aws: LocalAws) -> None:
    """Store logins again if a deployment has emptied their secrets.

    If a listener was removed and is added again, MiniStack replaces the secret by an empty one. AWS
    would refuse that deployment.
    """
    for name, value in logins.items():
        if not _value(aws, name):
            client("secretsmanager", aws).put_secret_value(SecretId=name, SecretString=value)


def drop_simulated_login(config: PipelineConfig, aws: LocalAws) -> None:
    """Delete the default listener's login if it is for the simulator; keep a real one.

    The real Spotify would refuse a login to the simulator.
    """
    name = f"{config.listener_secret_prefix}{DEFAULT_LISTENER}"
    if f'"{account.CLIENT_ID}"' in _value(aws, name):
        client("secretsmanager", aws).put_secret_value(SecretId=name, SecretString="{}")


def _value(aws: LocalAws, name: str) -> str:
    """Return the value of a secret; empty if it has none or does not exist."""
    secrets = client("secretsmanager", aws)
    try:
        return str(secrets.get_secret_value(SecretId=name).get("SecretString", ""))
    except secrets.exceptions.ResourceNotFoundException:
        return ""
