"""Typed settings from environment variables."""

import os
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.errors import SettingsError
from shared.faults import faults_of
from shared.models import Listener

Listeners = Annotated[
    tuple[Listener, ...], BeforeValidator(lambda names: names.split(",")), Field(min_length=1)
]
"""The deployed listeners; the variable separates them by commas."""


class Settings(BaseModel):
    """Base of each function's settings: a field `archive_bucket` is read from `ARCHIVE_BUCKET`."""

    model_config = ConfigDict(frozen=True, alias_generator=str.upper, populate_by_name=True)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from environment variables.

        Raises:
            SettingsError: A variable is missing or wrong. The error names it, without its value.
        """
        try:
            return cls.model_validate(dict(environment), by_alias=True, by_name=False)
        except ValidationError as error:
            faults = "; ".join(faults_of(error))
            raise SettingsError(f"environment variables are missing or wrong: {faults}") from None
