"""Settings from environment variables; errors name the bad ones."""

from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from shared.errors import SettingsError
from shared.settings import Settings


class ShopSettings(Settings):
    """The settings of a function."""

    archive_bucket: str
    window_s: Annotated[int, Field(ge=0)]
    colour: str = "blue"


WHOLE = {"ARCHIVE_BUCKET": "shelf", "WINDOW_S": "90"}


def test_a_setting_is_read_from_its_upper_case_environment_variable():
    settings = ShopSettings.from_environment(WHOLE | {"PATH": "/bin", "COLOUR": "red"})

    assert settings == ShopSettings(archive_bucket="shelf", window_s=90, colour="red")


def test_a_setting_with_a_default_needs_no_variable():
    assert ShopSettings.from_environment(WHOLE).colour == "blue"


def test_settings_are_read_from_the_process_environment_by_default(monkeypatch):
    monkeypatch.setenv("ARCHIVE_BUCKET", "shelf")
    monkeypatch.setenv("WINDOW_S", "90")

    assert ShopSettings.from_environment().archive_bucket == "shelf"


def test_every_missing_environment_variable_is_named_in_the_error():
    with pytest.raises(SettingsError) as refused:
        ShopSettings.from_environment({"archive_bucket": "in small letters"})

    assert str(refused.value) == (
        "environment variables are missing or wrong: "
        "ARCHIVE_BUCKET: Field required; WINDOW_S: Field required"
    )


@pytest.mark.parametrize("value", ["s3cret", "-7"])
def test_the_error_of_an_invalid_variable_hides_its_value(value):
    with pytest.raises(SettingsError, match="WINDOW_S") as refused:
        ShopSettings.from_environment(WHOLE | {"WINDOW_S": value})

    assert value not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_settings_are_immutable():
    settings = ShopSettings.from_environment(WHOLE)

    with pytest.raises(ValidationError, match="frozen"):
        settings.window_s = 1  # type: ignore[misc]  # as tested
