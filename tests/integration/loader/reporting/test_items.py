"""The views of artists, tracks and albums."""

from datetime import date, datetime
from decimal import Decimal

from tests.integration.loader.reporting.stage import a_play, plays_at


def test_view_tracks_shows_the_first_last_and_busiest_day_of_each_track(reporting):
    reporting.store(
        *plays_at("2023-12-30T12:00Z", track_name="x", artist_name="y"),
        *plays_at(*[f"2024-02-0{n}T12:00Z" for n in (3, 2)], track_name="x", artist_name="y"),
        *plays_at(*[f"2024-02-0{n}T13:00Z" for n in (2, 3)], track_name="x", artist_name="y"),
    )

    assert reporting.shown(
        "tracks", "plays_all", "first_heard_on", "last_heard_on", "days_between", "months_heard",
        "most_in_a_month", "most_in_a_day", "most_in_a_day_on", "track_uri",
    ) == [
        [5, date(2023, 12, 30), date(2024, 2, 3), 35, 2, 4, 2, date(2024, 2, 2),
         "spotify:track:t1"],
    ]  # fmt: skip
    assert reporting.shown("artists", "first_heard_at", "last_heard_at", "tracks") == [
        [datetime.fromisoformat("2023-12-30T12:00+00:00"),
         datetime.fromisoformat("2024-02-03T13:00+00:00"), 1]
    ]  # fmt: skip


def test_view_tracks_uses_the_listeners_local_days(reporting):
    reporting.listen_in("Asia/Kolkata")
    reporting.store(
        a_play("2024-05-14T18:30Z"), a_play("2024-05-15T18:29Z"), a_play("2024-05-15T18:30Z")
    )

    assert reporting.shown("tracks_by_month", "most_in_a_day", "most_in_a_day_on") == [
        [2, date(2024, 5, 15)]
    ]
    assert reporting.shown("albums", "first_heard_on", "last_heard_on", "days_between") == [
        [date(2024, 5, 15), date(2024, 5, 16), 1]
    ]


def test_tied_items_share_a_rank_and_the_next_rank_is_skipped(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "a", ms=40_000),
        a_play("2024-05-15T13:00Z", "a", ms=40_000),
        a_play("2024-05-15T14:00Z", "b", ms=200_000),
        a_play("2024-05-15T15:00Z", "b", ms=0),
        a_play("2024-05-15T16:00Z", "c", ms=200_000),
        a_play("2024-05-15T16:00Z", "d", ms=300_000, listener="zoe"),
        a_play("2024-06-15T16:00Z", "c", ms=100_000),
    )

    ranks = ("rank_all", "rank_30s", "rank_half", "rank_done", "rank_minutes")
    expected = [
        [date(2024, 5, 1), "Artist a", 1, 1, 3, 1, 3],
        [date(2024, 5, 1), "Artist b", 1, 2, 1, 1, 1],
        [date(2024, 5, 1), "Artist c", 3, 2, 1, 1, 1],
        [date(2024, 6, 1), "Artist c", 1, 1, 1, 1, 1],
    ]
    for view in ("artist_rank_by_month", "track_rank_by_month"):
        assert reporting.shown(view, "listened_month", "artist_name", *ranks) == expected


def test_view_obsessions_lists_tracks_played_five_times_in_a_day(reporting):
    day = [f"2024-05-{day}T1{hour}:00Z" for day in (14, 15) for hour in range(5)]
    reporting.store(
        *[a_play(instant, "obsession") for instant in day],
        *[a_play(instant, "four times") for instant in day[1:5]],
        *[a_play(instant, "two months") for instant in day[2:5]],
        a_play("2024-06-01T12:00Z", "two months"),
    )

    assert reporting.shown(
        "obsessions", "listened_month", "listened_date", "track_name", "plays_all"
    ) == [[date(2024, 5, 1), date(2024, 5, 14), "Title obsession", 5]]


def test_view_forgotten_favourites_lists_tracks_with_20_plays_but_none_in_365_days(reporting):
    day = [f"2023-05-15T{hour:02}:00Z" for hour in range(20)]
    reporting.store(
        *[a_play(instant, "forgotten") for instant in day],
        a_play("2023-05-14T12:00Z", "forgotten", ms=0),
        *[a_play(instant.replace("15T", "16T"), "a day later", ms=30_000) for instant in day],
        *[a_play(instant, "skipped once", ms=30_000 if instant != day[0] else 29_999)
          for instant in day],
        a_play("2024-05-13T23:30Z", "last"),
    )  # fmt: skip
    columns = ("track_name", "plays_all", "minutes", "last_heard_on", "days_since")
    forgotten = ["Title forgotten", 21, Decimal("66.67"), date(2023, 5, 15)]

    assert reporting.shown("forgotten_favourites", *columns) == []

    reporting.listen_in("Europe/Berlin")  # where the last play was on 14 May

    assert reporting.shown("forgotten_favourites", *columns) == [[*forgotten, 365]]

    reporting.poll("2024-05-14T22:00Z")

    assert reporting.shown("forgotten_favourites", *columns) == [
        ["Title a day later", 20, Decimal("10.00"), date(2023, 5, 16), 365], [*forgotten, 366],
    ]  # fmt: skip
