"""Two listeners, one play, or no play."""

from decimal import Decimal

from tests.integration.loader.reporting.stage import NOON, a_play


def test_an_empty_database_has_no_row_in_any_view(reporting):
    reporting.refresh()

    assert {name: rows for name, rows in reporting.read_views().items() if rows} == {}


def test_one_play_fills_all_views_but_obsessions_forgotten_favourites_and_together(reporting):
    reporting.store(a_play(NOON))
    reporting.refresh()

    views = reporting.read_views()
    assert {name for name, rows in views.items() if not rows} == {
        "obsessions", "forgotten_favourites", "together",
    }  # fmt: skip
    reporting.compare()


def test_plays_of_another_listener_change_none_of_my_figures(reporting):
    plays = [
        a_play("2024-05-15T12:00Z", "a"),
        a_play("2024-05-15T12:10Z", "b", ms=None),
        a_play("2024-05-31T23:59Z", "a", ms=None),
        a_play("2024-07-01T00:10Z", "a", ms=29_999),
    ]
    reporting.store(*plays)
    reporting.refresh()
    alone = reporting.read_views()
    shifted = [play | {"listener": "zoe", "played_at": play["played_at"].replace("2024", "2023")}
               for play in plays]  # fmt: skip
    near = [a_play("2024-05-15T12:05Z", "a", listener="zoe"),
            a_play("2024-06-30T23:59Z", "z", listener="zoe")]  # fmt: skip
    reporting.store(*shifted, *near)
    reporting.gap("2024-05-16T00:00Z", None, listener="zoe")
    reporting.poll("2024-05-16T00:00Z", listener="zoe")
    reporting.listen_in("Asia/Kolkata", listener="zoe")
    reporting.refresh()

    mine = {name: [row for row in rows if row["listener"] == "me"]
            for name, rows in reporting.read_views().items()}  # fmt: skip
    assert len(mine.pop("together")) == 2
    assert {name: rows for name, rows in mine.items() if rows != alone[name]} == {}


def test_view_together_lists_the_artists_that_two_listeners_both_played(reporting):
    reporting.store(
        a_play("2024-05-15T12:00Z", "1", artist_name="Nina", ms=90_000),
        a_play("2023-05-15T12:00Z", "2", artist_name="nina", ms=60_000, listener="zoe"),
        a_play("2023-05-16T12:00Z", "3", artist_name="Nina", ms=60_000, listener="zoe"),
        a_play("2023-05-16T12:00Z", "4", artist_name="Not me", listener="zoe"),
    )

    columns = ("other_listener", "artist_name", "plays_all", "other_plays_all", "minutes",
               "other_minutes")  # fmt: skip
    assert reporting.shown("together", *columns) == [
        ["zoe", "Nina", 1, 2, Decimal("1.50"), Decimal("2.00")]
    ]
    assert reporting.shown("together", *columns, listener="zoe") == [
        ["me", "Nina", 2, 1, Decimal("2.00"), Decimal("1.50")]
    ]
