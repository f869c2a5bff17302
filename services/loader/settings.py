"""The loader's settings, and the database's address from Parameter Store."""

from datetime import timedelta
from functools import cache
from typing import Annotated

from aws_lambda_powertools.utilities.parameters import SSMProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from pydantic import Field

from shared.aws import client
from shared.errors import SettingsError
from shared.postgres import Address
from shared.settings import Listeners, Settings

PARAMETER_MAX_AGE_S = 300


class DatabaseSettings(Settings):
    """The environment variables of the functions that use Postgres.

    Each holds the name of a parameter in Parameter Store; the login's parameter is encrypted. If
    `database_ca_parameter` is empty, the server runs on this machine, without TLS.
    """

    database_login_parameter: str
    database_host_parameter: str
    database_ca_parameter: str


class LoaderSettings(DatabaseSettings):
    """The environment variables of the loader."""

    match_window_s: Annotated[int, Field(ge=0, le=600)]
    """The most time between an API record and an export record of one play, seconds."""

    @property
    def match_window(self) -> timedelta:
        """`match_window_s` as a timedelta."""
        return timedelta(seconds=self.match_window_s)


class DeriveSettings(DatabaseSettings):
    """The environment variables of the derivation."""

    listeners: Listeners


def find_database(settings: DatabaseSettings, *, force: bool = False) -> Address:
    """Read the database's address and login from Parameter Store.

    Args:
        settings: Names of the parameters.
        force: True to bypass the cache, in case the password has changed.

    Raises:
        SettingsError: A parameter cannot be read, or the login's is not a login. The message never
            holds a value.
    """

    def read(name: str) -> str:
        # `decrypt` has no effect on a parameter that is not encrypted.
        return str(
            parameters_provider().get(
                name, decrypt=True, max_age=PARAMETER_MAX_AGE_S, force_fetch=force
            )
        )

    ca_name = settings.database_ca_parameter
    try:
        login = read(settings.database_login_parameter)
        host = read(settings.database_host_parameter)
        ca_pem = read(ca_name) if ca_name else ""
    except GetParameterError as error:
        raise SettingsError(
            f"cannot read the database's address and login from Parameter Store: {error}"
        ) from error
    try:
        return Address.of_login(login, host=host, ca_pem=ca_pem)
    except ValueError as error:
        name = settings.database_login_parameter
        raise SettingsError(f"parameter {name} holds no database login: {error}") from None


@cache
def parameters_provider() -> SSMProvider:
    """Return the container's reader of Parameter Store.

    It has our short timeouts; the default reader of Powertools times out only after 60 s.
    """
    return SSMProvider(boto3_client=client("ssm"))
