"""The page Review: a year or a month beside the one before."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest

TODAY = datetime.now(UTC).date()


def test_a_year_review_is_compared_with_the_year_before(site):
    text = site.text("/review?period=2025")

    assert "2025 in review" in text
    assert "plays 5 ▲ 400 % 1 in 2024" in text
    assert "listened ≈ 14 min" in text
    assert "artists 2 ▲ 100 % 1 in 2024" in text
    assert "new artists, skips too 1" in text


def test_an_hour_in_the_review_links_to_its_plays(site):
    # The shown period is not a whole year or month, so the review covers 2025.
    source = site.source("/review?period=2025-03-01..2025-07-31")

    assert 'href="/plays?period=2025&amp;hour=21"' in source


def test_the_review_lists_the_top_items_of_the_whole_year(site):
    text = site.text("/review?period=2025")

    assert "1 Ada 3 8 min 2 Wren 2 ≈ 7 min" in text
    assert "1 Ferries Ada 2 7 min 1 Kites Wren 2 ≈ 7 min 3 Salt Ada 1 50 s" in text
    assert "1 Tides Ada 3 8 min 2 Sky Wren 2 ≈ 7 min" in text


def test_the_fullest_day_depends_on_the_measure_and_marks_estimates(site):
    text = site.text("/review?period=2025&measure=minutes")

    assert "Fullest day ≈ 7 min Sun 13 Jul 2025" in text


def test_each_review_total_counts_plays_by_the_chosen_rule(site):
    # Salt, on 4 March, was played for 40 s and 10 s of 200 s.
    site.play("2025-03-05 20:00", "Salt", "Ada", 10_000)

    by_rule = {
        rule: re.findall(
            r"(plays|tracks|days with music) (\d+) ", site.text(f"/review?period=2025&rule={rule}")
        )[:3]
        for rule in ("all", "half")
    }

    assert by_rule == {
        "all": [("plays", "7"), ("tracks", "3"), ("days with music", "4")],
        "half": [("plays", "4"), ("tracks", "2"), ("days with music", "3")],
    }


@pytest.mark.parametrize("query", ["period=2025", "period=2025&rule=done&measure=minutes"])
def test_the_review_and_the_overview_show_the_same_totals(site, query):
    review, overview = (
        re.findall(r'<span class="unit">(.*?)</span>\s*<strong>(.*?)</strong>\s*(.*)', source)[:6]
        for source in (site.source(f"/review?{query}"), site.source(f"/?{query}"))
    )

    assert len(review) == 6
    assert review == overview


@pytest.mark.skipif(f"{TODAY:%m-%d}" == "12-31", reason="no year runs on its last day")
def test_an_unfinished_year_is_compared_with_the_same_days_of_last_year(empty_site):
    for day in (date(TODAY.year - 1, 1, 1), TODAY - timedelta(days=364), date(TODAY.year, 1, 1)):
        empty_site.play(f"{day} 00:00", "Ferries", "Ada", 200_000)
    empty_site.poll(f"{TODAY} 00:00")

    text = empty_site.text(f"/review?period={TODAY.year}")

    # The play of a year ago tomorrow is not counted.
    assert "plays 1 ±0 % 1 before" in text
    assert "artists 1 ±0 % 1 before" in text


def test_the_measure_minutes_orders_a_review_by_time(site):
    assert "1 Ada 8 min 3" in site.text("/review?period=2025&measure=minutes")


def test_the_review_shows_the_fullest_day_longest_session_and_streak(site):
    text = site.text("/review?period=2025")

    assert "Fullest day 2 plays Tue 4 Mar 2025" in text
    assert "Longest session 14 min Tue 4 Mar 2025" in text
    assert "Longest streak 2 days" in text


def test_selecting_a_month_shows_the_review_of_that_month(site):
    text = site.text("/review?period=2025-07")

    assert "July 2025 in review" in text
    assert "Sun 13 Jul 2025: 2 plays" in text
    assert "artists 2" in text


def test_the_review_says_that_a_month_has_no_plays(site):
    assert "No play of May 2025 is known" in site.text("/review?period=2025-05")


def test_a_custom_period_shows_the_review_of_its_last_days_year(site):
    assert "this is 2025" in site.text("/review?period=2025-03-01..2025-07-14")
