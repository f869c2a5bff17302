from datetime import datetime
from decimal import Decimal

import pytest

from dashboard import format as formats

THIN = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    "write", [each for name, each in formats.FILTERS.items() if name not in ("weekday", "ago")]
)
def test_an_unknown_value_is_formatted_as_a_dash_not_0(write):
    assert write(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (9412, "9,412"), (1_000_000, "1,000,000"), (2.5, "2.5"), (Decimal(12), "12")],
)
def test_a_count_has_thousands_separators(value, text):
    assert formats.number(value) == text


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 min"),
        (21_000, "21 s"),
        (59_999, "1 min"),
        (60_000, "1 min"),
        (47 * 60_000, "47 min"),
        (59.6 * 60_000, "1 h 00"),
        (32 * 3_600_000 + 11 * 60_000, "32 h 11"),
        (100 * 3_600_000, "100 h"),
        (Decimal(1521 * 3_600_000), "1,521 h"),
    ],
)
def test_a_duration_is_formatted_in_hours_minutes_or_seconds(ms, text):
    assert formats.duration(ms) == text


@pytest.mark.parametrize(
    ("ms", "text"), [(0, "0:00"), (242_000, "4:02"), (59_600, "1:00"), (3_723_000, "1:02:03")]
)
def test_a_play_length_is_formatted_as_minutes_and_seconds(ms, text):
    assert formats.clock(ms) == text
    assert formats.clock(ms, is_estimated=True) == f"≈ {text}"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0"),
        (1, "100"),
        (0.123, "12"),
        (0.0123, "1.2"),
        (0.02, "2"),
        (0.0996, "10"),
        (Decimal("0.0004"), "< 0.1"),
    ],
)
def test_a_share_is_formatted_as_a_percentage(share, text):
    assert formats.percent(share) == f"{text}{THIN}%"


@pytest.mark.parametrize(
    ("now", "before", "text"),
    [
        (104, 100, f"▲ 4{THIN}%"),
        (93, 100, f"▼ 7{THIN}%"),
        (1000, 1001, f"±0{THIN}%"),
        (0, 5, f"▼ 100{THIN}%"),
        (1, 214, f"▼ 99{THIN}%"),
        (5, 0, "–"),
        (5, None, "–"),
        (None, 5, "–"),
    ],
)
def test_growth_is_formatted_with_an_arrow(now, before, text):
    assert formats.delta(formats.change(now, before)) == text


@pytest.mark.parametrize(
    ("rank", "before", "text"), [(1, 3, "▲ 2"), (3, 2, "▼ 1"), (2, 2, "="), (7, None, "new")]
)
def test_a_rank_change_is_formatted_with_an_arrow(rank, before, text):
    assert formats.move(rank, before) == text


def test_dates_are_formatted_in_words():
    at = datetime.fromisoformat("2025-03-05T21:04")

    assert formats.day(at) == formats.day(at.date()) == "5 Mar 2025"
    assert formats.weekday(at) == "Wed 5 Mar 2025"
    assert formats.month(at) == "Mar 2025"


@pytest.mark.parametrize(
    ("name", "is_explained"),
    [("Various Artists", True), (" various artists", True), ("Various", False), ("", False)],
)
def test_only_the_artist_name_various_artists_gets_a_note(name, is_explained):
    assert bool(formats.artist_note(name)) is is_explained
