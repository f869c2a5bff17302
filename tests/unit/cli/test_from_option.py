from datetime import UTC, datetime

import pytest

from cli.errors import CommandError
from cli.from_option import _instant


def test_an_instant_with_a_zone_is_taken_as_it_is():
    assert _instant("2026-11-30T08:00:00.5Z") == datetime(2026, 11, 30, 8, 0, 0, 500_000, UTC)


def test_a_date_begins_at_midnight_on_this_machine():
    assert _instant("2026-11-30") == datetime(2026, 11, 30).astimezone()


def test_no_date_means_all_time():
    assert _instant(None) is None


@pytest.mark.parametrize("text", ["soon", "", "2026-13-01", "0001-01-01T00:00+23:59"])
def test_another_text_is_refused_with_the_form_of_a_date(text):
    with pytest.raises(CommandError, match="is not a date: write 2026-11-30"):
        _instant(text)
