"""Months and years in review, discovery, milestones."""

from datetime import date
from decimal import Decimal

from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play, plays_at


def test_view_discovery_counts_the_new_artists_and_tracks_of_each_month(reporting):
    reporting.store(
        a_play("2024-04-30T12:00Z", "old", artist_name="A", album_name="L"),
        a_play("2024-05-01T12:00Z", "old", artist_name="A", album_name="L"),
        a_play("2024-05-01T13:00Z", "new", artist_name="A", album_name="L", ms=0),
        a_play("2024-05-01T14:00Z", "new", artist_name="A", album_name="L"),
        a_play("2024-05-01T15:00Z", "by", artist_name="B", album_name="M"),
        a_play("2024-05-01T15:00Z", "by", artist_name="B", album_name="M", listener="zoe"),
    )

    assert reporting.shown(
        "discovery", "listened_month", "artists", "new_artists", "tracks", "new_tracks", "albums",
        "new_albums", "plays_all", "plays_of_new_artists", "plays_of_new_tracks",
    ) == [
        [date(2024, 4, 1), 1, 1, 1, 1, 1, 1, 1, 1, 1],
        [date(2024, 5, 1), 2, 1, 3, 2, 2, 1, 4, 1, 3],
    ]  # fmt: skip


def test_a_month_review_shows_top_items_and_the_totals_of_the_month_before(reporting):
    reporting.store(
        a_play("2024-03-31T12:00Z", "march"),
        a_play("2024-04-30T12:00Z", "april", ms=90_000),
        a_play("2024-05-01T12:00Z", "b", ms=100_000),
        a_play("2024-05-02T12:00Z", "a", ms=100_000),
        a_play("2024-05-02T13:00Z", "skipped", ms=29_999),
        a_play("2024-05-02T14:00Z", "skipped", ms=29_999),
        a_play("2024-07-01T12:00Z", "a", ms=60_000),
    )

    assert reporting.shown(
        "month_review", "listened_month", "top_artist", "top_artist_plays", "top_track",
        "top_track_artist", "top_track_plays", "top_album", "top_album_artist", "busiest_date",
        "busiest_date_minutes", "days_with_plays", "artists", "new_tracks",
    )[2:] == [
        [date(2024, 5, 1), "Artist a", 1, "Title a", "Artist a", 1, "Album a", "Artist a",
         date(2024, 5, 2), Decimal("2.67"), 2, 3, 3],
        [date(2024, 7, 1), "Artist a", 1, "Title a", "Artist a", 1, "Album a", "Artist a",
         date(2024, 7, 1), Decimal("1.00"), 1, 1, 0],
    ]  # fmt: skip
    assert reporting.shown(
        "month_review", "listened_month", "previous_plays_all", "previous_plays_30s",
        "previous_plays_half", "previous_plays_done", "previous_minutes", "previous_artists",
        "previous_tracks",
    ) == [
        [date(2024, 3, 1), None, None, None, None, None, None, None],
        [date(2024, 4, 1), 1, 1, 1, 0, Decimal("3.33"), 1, 1],
        [date(2024, 5, 1), 1, 1, 0, 0, Decimal("1.50"), 1, 1],
        [date(2024, 7, 1), None, None, None, None, None, None, None],
    ]  # fmt: skip


def test_a_year_review_is_the_sum_of_its_months(reporting):
    reporting.store(
        a_play("2022-12-31T12:00Z", "a"),
        *plays_at("2023-01-01T12:00Z", "2023-06-15T12:00Z", "2023-12-31T12:00Z"),
        a_play("2023-12-31T13:00Z", "t2"),
    )

    assert reporting.shown(
        "year_review", "listened_year", "plays_all", "tracks", "new_tracks", "top_track",
        "top_track_plays", "busiest_date", "days_with_plays", "previous_plays_30s",
    ) == [
        [2022, 1, 1, 1, "Title a", 1, date(2022, 12, 31), 1, None],
        [2023, 4, 3, 3, "Title t2", 2, date(2023, 12, 31), 3, 1],
    ]  # fmt: skip


def test_ties_in_a_review_are_broken_by_minutes_then_name(reporting):
    reporting.store(
        a_play("2024-05-01T12:00Z", "B", ms=100_000),
        a_play("2024-05-02T12:00Z", "a", ms=100_000),
        a_play("2024-05-03T12:00Z", "Z", ms=100_000),
        a_play("2024-06-01T12:00Z", "a", ms=100_000),
        a_play("2024-06-02T12:00Z", "Z", ms=100_001),
    )

    # Capitals come first, by code points.
    assert reporting.shown("month_review", "top_track", "top_artist", "busiest_date") == [
        ["Title B", "Artist B", date(2024, 5, 1)], ["Title Z", "Artist Z", date(2024, 6, 2)],
    ]  # fmt: skip


def test_milestones_count_only_plays_of_30_s_or_more(reporting):
    plays = [a_play(NOON + n * MINUTE, f"t{n:03}", ms=30_000) for n in range(101)]
    reporting.store(a_play(NOON - MINUTE, "skip", ms=29_999), *plays)

    assert reporting.shown(
        "milestones", "milestone", "reached_at", "listened_date", "track_name"
    ) == [
        [1, NOON, date(2024, 5, 15), "Title t000"],
        [100, NOON + 99 * MINUTE, date(2024, 5, 15), "Title t099"],
    ]  # fmt: skip


def test_a_milestone_among_simultaneous_plays_goes_to_the_lowest_track_uri(reporting):
    reporting.store(a_play(NOON, "b"), a_play(NOON, "a"))

    assert reporting.shown("milestones", "milestone", "track_name") == [[1, "Title a"]]
