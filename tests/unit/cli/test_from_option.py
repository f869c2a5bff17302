from datetime import UTC, datetime

import pytest

from cli.errors import CommandError
from cli.from_option import _instant


def test_option_from_keeps_the_zone_of_an_instant():
    assert _instant("2026-11-30T08:00:00.5Z") == datetime(2026, 11, 30, 8, 0, 0, 500_000, UTC)


def test_option_from_takes_a_date_as_midnight_in_the_machine_time_zone():
    assert _instant("2026-11-30") == datetime(2026, 11, 30).astimezone()


def test_without_option_from_there_is_no_start():
    assert _instant(None) is None


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "0001-01-01T00:00+23:59"])
def test_option_from_refuses_other_text_and_shows_a_valid_date(text):
    with pytest.raises(CommandError, match="is not a date: write 2026-11-30"):
        _instant(text)
