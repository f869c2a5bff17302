"""The page Sessions: stretches without a long pause, and days in a row."""

import re

import pytest


def test_a_pause_of_half_an_hour_ends_a_session(site):
    text = site.text("/sessions?period=2025")

    # 4 March from 20:56:40 to 21:11, and three single plays of 200 s.
    assert "sessions 4 ▲ 300 % 1 in 2024" in text
    assert "longest session 14 min" in text
    assert "median session 3 min" in text
    # 5 plays of 30 seconds in 4 sessions.
    assert "plays a session 1.2" in text


def test_a_session_counts_in_the_hour_in_which_it_starts(site):
    text = site.text("/sessions?period=2025")

    assert "20:00: 1 session" in text
    assert "21:00: 0 sessions" in text
    assert "< 15 min: 4 sessions" in text


def test_the_longest_session_links_to_its_day(site):
    source = site.source("/sessions?period=2025")

    assert "/day/2025-03-04" in source
    assert "Tue 4 Mar 2025 from 20:56 14 min 2 plays" in site.text("/sessions?period=2025")


def test_a_streak_counts_consecutive_days_with_plays(site):
    text = site.text("/sessions?period=2025")

    assert "longest streak ever 2 days until 14 Jul 2025" in text
    assert "1 13 Jul 2025 – 14 Jul 2025 2 days" in text
    assert "current streak – no streak goes on" in text


def test_days_in_a_gap_after_the_last_play_do_not_end_a_streak(site):
    # The last poll was on 31 December 2025, so later days are unknown.
    site.play("2025-12-30 12:00", "Kites", "Wren", 200_000)
    site.play("2025-12-31 12:00", "Kites", "Wren", 200_000)
    text = site.text("/sessions?period=2025")

    assert "current streak 2 days since 30 Dec 2025, known until 31 Dec 2025" in text
    assert "30 Dec 2025 – 31 Dec 2025 goes on 2 days" in text


def test_a_streak_to_the_day_before_the_last_known_day_is_current(site):
    site.play("2025-12-30 12:00", "Kites", "Wren", 200_000)

    assert "current streak 1 day since 30 Dec 2025" in site.text("/sessions?period=2025")


def test_a_known_day_without_plays_ends_a_streak(site):
    site.play("2025-12-29 12:00", "Kites", "Wren", 200_000)

    assert "current streak – no streak goes on" in site.text("/sessions?period=2025")


def test_a_day_in_an_open_gap_does_not_end_a_streak(site):
    site.gap("2025-07-14 22:00", "2025-07-16 22:00")
    site.play("2025-07-17 12:00", "Kites", "Wren", 200_000)

    text = site.text("/sessions?period=2025")

    assert "2 days unknown" in text
    assert "3 days" in text


def test_the_first_play_is_listed_as_a_milestone(site):
    assert "Ferries Ada 1 2 Jan 2024" in site.text("/sessions?period=2025")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ("hour=20", ["Tue 4 Mar 2025"]),
        ("hour=0", ["Sun 13 Jul 2025"]),
        ("size=0&hour=11", ["Sun 13 Jul 2025"]),
        ("size=5", []),
    ],
)
def test_a_bar_of_the_sessions_chart_links_to_its_sessions(site, chosen, expected):
    site.play("2025-09-01 18:00", "Ferries", "Ada", 20 * 60_000)

    text = site.text(f"/sessions?period=2025&{chosen}")
    listed = text.split("from first to last second")[1].split("Streaks")[0]

    assert re.findall(r"(\w+ \d+ \w+ \d+) from", listed) == expected


def test_a_day_without_sessions_has_no_link_in_the_chart(site):
    source = site.source("/sessions?period=2025")

    assert 'href="/sessions?period=2025&amp;hour=20#longest"' in source
    assert 'href="/sessions?period=2025&amp;size=0#longest"' in source
    assert "hour=22#" not in source
    assert "size=1#" not in source
