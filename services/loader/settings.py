"""Where the database is, from the environment, Secrets Manager and Parameter Store."""

import json
from datetime import timedelta
from functools import cache
from typing import Annotated

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from pydantic import Field

from shared.aws import client
from shared.errors import SettingsError
from shared.postgres import Address
from shared.settings import Settings

SECRET_MAX_AGE_S = 300


class DatabaseSettings(Settings):
    """The environment variables of the functions that use Postgres.

    The secret is JSON with username, password, dbname and port. An empty name of the CA
    parameter means a server on this machine, without TLS.
    """

    database_secret_id: str
    database_host_parameter: str
    database_ca_parameter: str


class LoaderSettings(DatabaseSettings):
    """The environment variables of the loader."""

    match_window_s: Annotated[int, Field(ge=0, le=600)]
    """How far an API and an export record of one play may lie apart, seconds."""

    @property
    def match_window(self) -> timedelta:
        """`match_window_s` as a span of time."""
        return timedelta(seconds=self.match_window_s)


def find_database(settings: DatabaseSettings, *, force: bool = False) -> Address:
    """Look up the database's address and our password there.

    Args:
        settings: Names of the secret and the parameters.
        force: Ask again, though an answer may be at hand: the password has changed.

    Raises:
        SettingsError: The secret or a parameter cannot be read, or is not what it should be;
            never tells its value.
    """
    ca_name = settings.database_ca_parameter
    try:
        secret = secrets_provider().get(
            settings.database_secret_id, max_age=SECRET_MAX_AGE_S, force_fetch=force
        )
        host = _parameter(settings.database_host_parameter, force=force)
        ca_pem = _parameter(ca_name, force=force) if ca_name else ""
    except GetParameterError as error:
        raise SettingsError(f"cannot read where the database is: {error}") from error
    try:
        known = json.loads(str(secret))
        return Address(
            host=host,
            port=int(known["port"]),
            database=known["dbname"],
            username=known["username"],
            password=known["password"],
            ca_pem=ca_pem,
        )
    except (ValueError, KeyError, TypeError):
        raise SettingsError(
            f"secret {settings.database_secret_id} is not JSON with "
            "username, password, dbname and port"
        ) from None


def _parameter(name: str, *, force: bool) -> str:
    return str(parameters_provider().get(name, max_age=SECRET_MAX_AGE_S, force_fetch=force))


@cache
def secrets_provider() -> SecretsProvider:
    """Give the container's reader of secrets; Powertools' own would wait a minute for an answer."""
    return SecretsProvider(boto3_client=client("secretsmanager"))


@cache
def parameters_provider() -> SSMProvider:
    """Give the container's reader of parameters."""
    return SSMProvider(boto3_client=client("ssm"))
