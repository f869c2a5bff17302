"""The page When: hours of the week, the clock, months and years, in the listener's time zone."""

import re

import pytest


def test_a_play_counts_in_its_local_hour(site):
    text = site.text("/when?period=2025")

    assert "Tue 21:00: 2 plays" in text
    assert "Sun 00:00: 1 play" in text
    assert "Sat 22:00: 0 plays" in text


def test_shares_by_hour_are_compared_with_the_previous_year(site):
    text = site.text("/when?period=2025")

    assert "fullest hour 21:00 21:00 in 2024" in text
    # 2 of 5 plays on Sunday, 1 of 5 at half past midnight.
    assert "at the weekend 40 % 0 % in 2024" in text
    assert "between 0:00 and 6:00 20 % 0 % in 2024" in text


def test_the_fullest_hour_and_day_link_to_their_plays(site):
    source = site.source("/when?period=2025&rule=all")

    cards = source[source.index('aria-label="In numbers"') :]
    assert re.findall(r'class="card" href="([^"]+)"', cards) == [
        "/plays?period=2025&amp;rule=all&amp;hour=21",
        "/plays?period=2025&amp;rule=all&amp;weekday=2",
    ]


def test_a_day_in_a_gap_shows_a_dash_not_0(site):
    site.gap("2025-07-12 23:00", "2025-07-15 10:00")

    text = site.text("/when?period=2025-07")

    assert "Fri 11 Jul 2025: 0 plays" in text
    assert "Sun 13 Jul 2025: at least 2 plays" in text
    assert "Tue 15 Jul 2025: \N{EN DASH}" in text


def test_hourly_counts_use_the_chosen_counting_rule(site):
    text = site.text("/when?period=2025&rule=all")

    assert "Tue 21:00: 3 plays" in text
    assert "at the weekend 33 %" in text


def test_with_measure_minutes_the_charts_show_listening_time(site):
    text = site.text("/when?period=2025&measure=minutes")

    # 400 of 850 seconds; 200 of them are estimated.
    assert "at the weekend 47 %" in text
    assert "Tue 21:00: 4 min" in text
    assert "Sun 12:00: ≈ 3 min" in text


def test_a_month_is_compared_with_the_same_month_last_year(site):
    assert "Jan 2025: 0 plays (1 play a year before)" in site.text("/when?period=2025")


def test_a_month_before_the_first_play_shows_a_dash_not_0(site):
    site.play("2023-03-05 20:00", "Ferries", "Ada", 200_000)

    text = site.text("/when?period=2025")

    assert "Feb 2023: \N{EN DASH}" in text
    assert "Apr 2023: 0 plays" in text


def test_years_are_shown_side_by_side_with_links(site):
    source = site.source("/when?period=2025")

    assert "/when?period=2025-07" in source
    assert "/when?period=2024" in source


def test_a_short_period_is_charted_by_day(site):
    source = site.source("/when?period=2025-07")

    assert "Sun 13 Jul 2025: 2 plays" in source
    assert "/day/2025-07-13" in source


def test_a_month_with_an_open_gap_is_marked_as_incomplete(site):
    marked = 'class="gap" style="--v:0" title="May 2025: \N{EN DASH}"'
    assert marked not in site.source("/when?period=2025")
    site.gap("2025-05-02 00:00", "2025-05-03 00:00")

    assert marked in site.source("/when?period=2025")


def test_a_month_after_the_last_poll_is_marked_as_incomplete(site):
    source = site.source("/when?period=2025")

    assert 'class="gap" style="--v:0" title="Jan 2026: \N{EN DASH}"' in source
    assert 'title="Nov 2025: 0 plays"' in source


@pytest.mark.parametrize("period", ["2023", "2025-05-10..2025-05-12"])
def test_hours_of_a_period_without_coverage_show_a_dash(site, period):
    site.gap("2025-05-02 00:00", "2025-06-03 00:00")

    text = site.text(f"/when?period={period}")

    assert "Tue 21:00: \N{EN DASH}" in text
    assert " 0 plays" not in text.partition("Year over year")[0]


def test_a_known_year_without_plays_shows_0(site):
    site.play("2022-03-05 20:00", "Ferries", "Ada", 200_000)

    text = site.text("/when?period=all")

    assert re.search(r"Dec 2023: 0 plays 0 (?!play)", text)


def test_the_column_of_year_totals_shows_numbers_without_a_unit(site):
    # One play in 2024.
    assert re.search(r"Dec 2024: 0 plays 1 (?!play)", site.text("/when?period=2025"))


def test_totals_of_years_with_a_gap_are_shown_as_at_least(site):
    site.gap("2020-03-02 00:00", "2021-12-31 00:00")
    site.play("2020-03-01 20:00", "Ferries", "Ada", 200_000)

    text = site.text("/when?period=2020-01-01..2025-12-31")

    assert "2020: at least 1 play 2020: at least 1 play" in text
    assert "2021: \N{EN DASH} 2021: \N{EN DASH}" in text
    assert "2022: 0 plays" in text
    assert "Dec 2021: \N{EN DASH} \N{EN DASH}" in text
