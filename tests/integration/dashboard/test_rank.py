"""The page Rank: ten artists and their ranks by week, month, quarter or year."""

import pytest


def test_the_rank_page_ranks_artists_in_each_month(site):
    text = site.text("/rank?period=2025")

    assert "Ada, Mar 2025: rank 1, 2 plays" in text
    assert "Wren, Jul 2025: rank 1, 2 plays" in text
    assert "Ada, Jul 2025: rank 2, 1 play " in text


def test_an_artist_of_the_rank_chart_links_to_the_artist_page(site, owner):
    source = site.source("/rank?period=2025")

    ((artist,),) = owner.run("SELECT artist_id FROM reporting.artists WHERE artist_name = 'Wren'")
    assert f"/artist/{artist}?period=2025" in source


@pytest.mark.parametrize(
    ("shown", "step"),
    [
        ("2025-07", "2025-07-07..2025-07-13"),
        ("2025", "2025-07"),
        ("2023-06-01..2025-12-31", "2025-07-01..2025-09-30"),
        ("2015-01-01..2025-12-31", "2025"),
    ],
)
def test_a_dot_of_the_rank_chart_links_to_its_artist_and_step(shown, step, site, owner):
    source = site.source(f"/rank?period={shown}")

    ((artist,),) = owner.run("SELECT artist_id FROM reporting.artists WHERE artist_name = 'Wren'")
    # Once at the dot, once in the table.
    assert source.count(f'/artist/{artist}?period={step}"') == 2


def test_ranks_count_plays_on_days_outside_whole_months(site):
    text = site.text("/rank?period=2025-03-04..2025-07-13")

    # Two plays each. Wren has more time, and Ada's last play is a day later.
    assert "Ada, Mar 2025: rank 1, 2 plays" in text
    assert "Wren, Jul 2025: rank 1, 2 plays" in text
    assert "Wren – – – – 1 Ada 1 – – – –" in text


@pytest.mark.parametrize(
    ("period", "step"),
    [
        ("2025-07", "14 Jul"),
        ("2024-12-01..2025-12-31", "Jul 2025"),
        ("2023-06-01..2025-12-31", "Q3 2025"),
        ("2015-01-01..2025-12-31", "2025"),
    ],
)
def test_the_rank_chart_uses_longer_steps_for_longer_periods(period, step, site):
    assert f"Ada, {step}: rank" in site.text(f"/rank?period={period}")


def test_artists_with_equal_plays_rank_by_listening_time(site):
    site.play("2025-07-14 09:00", "Kites", "Wren", 30_000)

    text = site.text("/rank?period=2025-07")

    assert "Wren, 7 Jul: rank 1, 2 plays" in text
    assert "Ada, 14 Jul: rank 1, 1 play" in text
    assert "Wren, 14 Jul: rank 2, 1 play" in text
