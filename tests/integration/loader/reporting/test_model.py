"""Every view matches the model on 10,000 random plays, and views agree with each other."""

from collections import Counter
from typing import Any

import pytest

from tests.integration.loader.reporting.random_history import store_random_history

ZONES = [
    {"me": "Europe/Berlin", "zoe": "America/Sao_Paulo"},  # there days have begun at 01:00
    {"me": "Australia/Lord_Howe", "zoe": "Pacific/Kiritimati"},
]
COUNTS = ("plays_all", "plays_30s", "plays_half", "plays_done", "ms", "ms_estimated")
# Views in which each play counts once.
WHOLE = ("listening_by_hour", "listening_daily", "artists_by_month", "tracks_by_month",
         "artists", "tracks", "artist_rank_by_month", "track_rank_by_month", "where_and_how",
         "sessions", "month_review", "year_review")  # fmt: skip


@pytest.fixture
def big(reporting):
    store_random_history(reporting, plays=5_000, seed=12)
    return reporting


def test_views_equal_the_python_model_for_10_000_random_plays(big):
    for zones in ZONES:
        for listener, zone in zones.items():
            big.listen_in(zone, listener)
        big.refresh()

        big.compare()


def test_totals_of_all_views_agree_for_each_counting_rule(big):
    big.listen_in("Europe/Berlin")
    big.refresh()
    views = big.read_views()

    assert [name for name, rows in views.items() if not rows] == []
    totals = {name: total(views[name], lambda row: row["listener"]) for name in WHOLE}
    assert {name: found for name, found in totals.items() if found != totals["tracks"]} == {}
    assert totals["tracks"]["me", "plays_all"] == 5_000
    monthly = ("listening_by_hour", "listening_daily", "artists_by_month", "tracks_by_month",
               "track_rank_by_month", "where_and_how", "month_review")  # fmt: skip
    months = {name: total(views[name], lambda row: (row["listener"], row["listened_month"]))
              for name in monthly}  # fmt: skip
    assert {name for name, found in months.items() if found != months["month_review"]} == set()
    assert total(views["month_review"], year) == total(views["year_review"], year)


def year(row):
    return row["listener"], row.get("listened_year") or row["listened_month"].year


def total(rows, part_of):
    """Return the sums of the counts of the rows of one part."""
    sums: Counter[tuple[Any, str]] = Counter()
    for row in rows:
        for column in COUNTS:
            sums[part_of(row), column] += row[column]
    return +sums
