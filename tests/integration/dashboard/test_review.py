"""The page Review: a year or a month beside the one before."""

import pytest

from tests.integration.dashboard.site import Site


@pytest.fixture
def site(database, address_of):
    site = Site(database, address_of)
    site.two_years()
    return site


def test_a_year_is_compared_with_the_one_before(site):
    text = site.text("/review?period=2025")

    assert "2025 in review" in text
    assert "plays 5 ▲ 400 % 1 in 2024" in text
    assert "listened ≈ 14 min" in text
    assert "artists 2 ▲ 100 % 1 in 2024" in text
    assert "artists heard first 1" in text


def test_tops_are_those_of_the_year(site):
    text = site.text("/review?period=2025")

    assert "1 Ada 8 min 3 2 Wren ≈ 7 min 2" in text
    assert "1 Ferries Ada 7 min 2 2 Kites Wren ≈ 7 min 2 3 Salt Ada 50 s 1" in text
    assert "1 Tides Ada 8 min 3 2 Sky Wren ≈ 7 min 2" in text


def test_by_minutes_the_order_is_that_of_time(site):
    assert "1 Ada 3 8 min" in site.text("/review?period=2025&measure=minutes")


def test_moments_are_named(site):
    text = site.text("/review?period=2025")

    assert "Fullest day 7 min Sun 13 Jul 2025" in text
    assert "Longest session 14 min Tue 4 Mar 2025" in text
    assert "Longest streak 2 days" in text


def test_a_month_has_a_review_of_its_own(site):
    text = site.text("/review?period=2025-07")

    assert "July 2025 in review" in text
    assert "Sun 13 Jul 2025: 2 plays" in text
    assert "artists 2" in text


def test_a_month_without_plays_says_so(site):
    assert "No play of May 2025 is known" in site.text("/review?period=2025-05")


def test_any_other_period_shows_the_year_of_its_end(site):
    assert "this is 2025" in site.text("/review?period=2025-03-01..2025-07-14")
