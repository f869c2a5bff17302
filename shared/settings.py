"""Typed settings: a function's environment variables, checked once, by name."""

import os
from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.errors import SettingsError
from shared.models import Listener

Listeners = Annotated[
    tuple[Listener, ...], BeforeValidator(lambda names: names.split(",")), Field(min_length=1)
]
"""The deployed listeners; their variable holds them comma separated."""


class Settings(BaseModel):
    """Base of each function's settings: the field `archive_bucket` is `ARCHIVE_BUCKET`."""

    model_config = ConfigDict(frozen=True)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings from environment variables.

        Raises:
            SettingsError: A variable is missing or wrong; names each of them, never a value.
        """
        found = {
            name: environment[name.upper()]
            for name in cls.model_fields
            if name.upper() in environment
        }
        try:
            return cls.model_validate(found)
        except ValidationError as error:
            faults = "; ".join(
                f"{str(fault['loc'][0]).upper()}: {fault['msg'].lower()}"
                for fault in error.errors(include_input=False)
            )
            raise SettingsError(f"bad environment: {faults}") from None
