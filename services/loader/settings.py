"""Where the database is, from the environment, Secrets Manager and Parameter Store."""

import json
from datetime import timedelta
from typing import Annotated

from aws_lambda_powertools.utilities import parameters
from pydantic import Field

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
        SettingsError: The secret is not the JSON that it should be; never tells its value.
    """
    secret = parameters.get_secret(
        settings.database_secret_id, max_age=SECRET_MAX_AGE_S, force_fetch=force
    )
    host = _parameter(settings.database_host_parameter, force=force)
    ca_name = settings.database_ca_parameter
    ca_pem = _parameter(ca_name, force=force) if ca_name else ""
    try:
        known = json.loads(secret)
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
    return parameters.get_parameter(name, max_age=SECRET_MAX_AGE_S, force_fetch=force)
