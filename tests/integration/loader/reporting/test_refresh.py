"""One change at a time, after all was computed: the views follow it, in every month it reaches.

Each test reads the views once before the change, so that what is derived exists.
"""

from datetime import date

import pytest

from shared.errors import DatabaseError
from tests.integration.loader.reporting.stage import MINUTE, NOON, a_play

MAY, JUNE = date(2024, 5, 1), date(2024, 6, 1)


@pytest.fixture
def computed(reporting):
    """Refreshed plays around the end of May; the last one is an estimate in June."""
    reporting.store(
        a_play("2024-05-31T20:00Z", "early", ms=100_000),
        a_play("2024-05-31T23:50Z", "may", ms=100_000),
        a_play("2024-06-01T00:02Z", "june", ms=None, duration_ms=900_000),
    )
    assert june(reporting) == [[720_000, 1]]
    assert sessions(reporting) == [[MAY, 1], [MAY, 2]]
    return reporting


def june(reporting):
    return [row[1:] for row in reporting.shown("month_review", "listened_month", "ms", "tracks")
            if row[0] == JUNE]  # fmt: skip


def sessions(reporting):
    return reporting.shown("sessions", "listened_month", "plays_all")


def test_a_late_play_in_may_shortens_the_length_estimate_of_the_next_play_in_june(computed):
    computed.store(a_play("2024-05-31T23:59Z", "late", ms=5_000))

    assert june(computed) == [[180_000, 1]]
    assert sessions(computed) == [[MAY, 1], [MAY, 3]]
    computed.compare()


def test_deleting_a_play_lengthens_the_next_plays_estimate_and_splits_a_session(computed):
    computed.database.run("DELETE FROM listening_history WHERE track_uri = 'spotify:track:may'")

    assert june(computed) == [[900_000, 1]]
    assert sessions(computed) == [[MAY, 1], [MAY, 1]]
    assert computed.shown("artists", "artist_name") == [["Artist early"], ["Artist june"]]
    computed.compare()


def test_a_late_play_shortens_the_length_estimate_of_a_play_three_weeks_later(computed):
    days = 24 * 3_600_000
    computed.store(
        a_play("2026-01-20T12:00Z", "endless", ms=None, duration_ms=24 * days),
        a_play("2025-12-31T12:00Z", "between", ms=0, listener="zoe"),
    )
    years = ("listened_year", "ms")
    assert computed.shown("year_review", *years) == [[2024, 920_000], [2026, 24 * days]]

    # The next play is in a later month than this day and the day after it.
    computed.store(a_play("2025-12-30T12:00Z", "late", ms=0))

    assert computed.shown("year_review", *years) == [
        [2024, 920_000], [2025, 0], [2026, 21 * days],
    ]  # fmt: skip
    computed.compare()


def test_an_export_record_replaces_an_estimated_length(computed):
    computed.database.run(
        "UPDATE listening_history SET ms_played = 29000, source = 'both', reason_end = 'fwdbtn', "
        "skipped = true WHERE track_uri = 'spotify:track:june'"
    )

    assert june(computed) == [[29_000, 1]]
    assert sessions(computed) == [[MAY, 1], [MAY, 2]]
    assert computed.shown("skips_by_month", "listened_month", "skips")[1] == [JUNE, 1]
    computed.compare()


def test_a_play_moved_to_another_month_is_removed_from_the_old_month(computed):
    computed.store(a_play("2024-07-10T12:00Z", "early", ms=0))
    computed.refresh()

    computed.database.run(
        "UPDATE listening_history SET played_at = '2024-09-01T12:00Z' "
        "WHERE track_uri = 'spotify:track:june'"
    )

    assert june(computed) == []
    assert computed.shown("discovery", "listened_month", "new_tracks") == [
        [MAY, 2], [date(2024, 7, 1), 0], [date(2024, 9, 1), 1],
    ]  # fmt: skip
    computed.compare()


def test_a_change_to_any_column_of_a_play_updates_the_views(computed):
    for change in (
        "ms_played = 29000, source = 'both'", "source = 'extended-history'", "skipped = true",
        "ms_played = 30000", "skipped = false", "duration_ms = 31000", "reason_end = 'trackdone'",
        "reason_start = 'clickrow'", "platform = 'ios'", "country = 'DE'", "shuffle = true",
        "offline = true", "incognito = true", "context_uri = 'spotify:album:1'",
        "album_name = NULL", "artist_name = 'Nina'", "track_name = 'Boats'",
        "track_uri = 'spotify:track:moved'", "listener = 'zoe'",
    ):  # fmt: skip
        computed.database.run(
            f"UPDATE listening_history SET {change} "  # noqa: S608 - our own words
            "WHERE played_at = '2024-06-01T00:02Z'"
        )
        computed.refresh()
        assert (change, computed.wrong_views()) == (change, {})


def test_a_change_to_any_feature_updates_the_views(computed):
    computed.know("june", duration_ms=None)
    computed.database.run("UPDATE listening_history SET duration_ms = NULL")
    computed.refresh()
    for change in ("duration_ms = 100000", "danceability = 0.5", "energy = 0.5", "mode = 1",
                   "loudness = -9", "speechiness = 0.5", "acousticness = 0.5", "tempo = 99",
                   "instrumentalness = 0.5", "liveness = 0.5", "valence = 0.5"):  # fmt: skip
        computed.database.run(f"UPDATE track_features SET {change}")  # noqa: S608 - our own words
        computed.refresh()
        assert (change, computed.wrong_views()) == (change, {})


def test_a_new_track_length_updates_all_plays_of_that_track(computed):
    computed.store(
        a_play("2024-05-20T12:00Z", "long", ms=None),
        a_play("2023-05-20T12:00Z", "long", ms=None, listener="zoe"),
    )
    months = ("listened_month", "ms_estimated")
    assert computed.shown("tracks_by_month", *months, listener="zoe") == [
        [date(2023, 5, 1), 210_000]
    ]

    computed.know("long", duration_ms=100_000)

    assert computed.shown("tracks_by_month", *months, listener="zoe") == [
        [date(2023, 5, 1), 100_000]
    ]
    assert [MAY, 100_000] in computed.shown("tracks_by_month", *months)
    computed.compare()

    computed.database.run("UPDATE track_features SET duration_ms = 300000, mode = 1")

    assert [MAY, 300_000] in computed.shown("tracks_by_month", *months)
    assert computed.shown("mood_by_month", "listened_month", "plays_with_features") == [
        [MAY, 1], [JUNE, 0],
    ]  # fmt: skip
    computed.compare()


def test_new_and_changed_features_appear_in_the_views(computed):
    computed.know("june", energy=0.5)

    assert computed.shown("mood_by_hour", "hour", "plays_with_features")[0] == [0, 1]

    computed.database.run("UPDATE track_features SET energy = NULL, tempo = 100")

    columns = ("listened_month", "energy", "tempo")
    assert computed.shown("mood_by_month", *columns)[1] == [JUNE, None, 100]
    computed.compare()


def test_another_listeners_poll_replaces_the_placeholder_various_artists(reporting):
    reporting.store(*[
        a_play(at, "one", artist_name="Various Artists")
        for at in ("2022-01-01T12:00Z", "2024-05-01T12:00Z")
    ])  # fmt: skip
    assert reporting.shown("artists", "artist_name") == [["Various Artists"]]

    reporting.store(a_play("2019-01-01T12:00Z", "one", artist_name="Nina", listener="zoe", ms=None))

    assert reporting.shown("artists", "artist_name", "months_heard") == [["Nina", 2]]
    reporting.compare()

    reporting.database.run("DELETE FROM listening_history WHERE listener = 'zoe'")

    assert reporting.shown("artists", "artist_name", "months_heard") == [["Various Artists", 2]]
    reporting.compare()


def test_a_new_spelling_of_a_name_is_shown_in_every_month(reporting):
    reporting.store(a_play("2022-01-01T12:00Z", "one", artist_name="nina"))
    assert reporting.shown("artists_by_month", "artist_name") == [["nina"]]

    reporting.store(
        a_play("2024-01-01T12:00Z", "two", artist_name="Nina"),
        a_play("2024-01-01T12:10Z", "three", artist_name="Nina"),
    )

    assert reporting.shown("artists_by_month", "artist_name") == [["Nina"], ["Nina"]]
    reporting.compare()


def test_a_new_time_zone_recomputes_the_listeners_whole_history(computed):
    computed.listen_in("Asia/Kolkata")

    assert sessions(computed) == [[JUNE, 1], [JUNE, 2]]
    assert computed.shown("month_review", "listened_month", "plays_all") == [[JUNE, 3]]
    computed.compare()

    computed.listen_in("America/Los_Angeles")

    assert computed.shown("month_review", "listened_month", "plays_all") == [[MAY, 3]]

    computed.database.run("DELETE FROM listener_setting")

    assert sessions(computed) == [[MAY, 1], [MAY, 2]]
    computed.compare()


def test_a_refresh_two_months_at_a_time_gives_the_same_views(computed):
    computed.listen_in("Asia/Kolkata")
    computed.store(*[a_play(f"202{year}-01-01T12:00Z", "early") for year in range(4)])
    left = [computed.database.run("SELECT derived.refresh(2)")[0][0] for _ in range(4)]

    assert left[-2:] == [0, 0]
    assert left[0] > left[1] > 0
    computed.compare()


def test_views_show_the_old_figures_until_a_rebuild_ends(computed):
    shown = computed.read_views()

    computed.database.run("SELECT derived.rebuild()")

    waiting = {view: rows for view, rows in computed.read_views().items() if view != "freshness"}
    assert waiting == {view: shown[view] for view in waiting}
    assert june(computed) == [[720_000, 1]]


DAMAGE = {
    "hour": "plays_all = 99", "item_month": "plays_all = 99", "item": "most_in_a_month = 99",
    "session_part": "plays_all = 99", "how": "platform = 'toaster'", "mood": "plays_all = 99",
    "track": "track_name = 'Wrong'", "name": "name = 'Wrong'",
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.items(), ids=DAMAGE)
def test_a_rebuild_repairs_damaged_derived_tables(computed, damage):
    table, wrong = damage
    right = computed.read_derived()
    computed.owner.run(f"UPDATE derived.{table} SET {wrong}")  # noqa: S608 - our own words
    assert computed.read_derived() != right

    computed.rebuild()

    assert computed.read_derived() == right


@pytest.mark.parametrize("change", ["names", "features"])
def test_a_refresh_handles_5001_changed_tracks_at_once(computed, change):
    many = [f"many{number}" for number in range(5_001)]
    if change == "features":
        computed.insert("track_features", [
            {"track_uri": f"spotify:track:{track}", "source": "reccobeats",
             "fetched_at": NOON, "duration_ms": 100_000} for track in [*many, "june"]
        ])  # fmt: skip
    else:
        computed.store(*[
            a_play(NOON + number * MINUTE, track, artist_name="Many", ms=9)
            for number, track in enumerate(many)
        ])  # fmt: skip

    computed.refresh()

    computed.compare()


@pytest.mark.parametrize("change", ["names", "features"])
def test_changed_tracks_make_only_their_own_months_stale(computed, change):
    many = [f"many{number}" for number in range(5_001)]
    plays = [
        a_play(NOON + number * MINUTE, track, artist_name="Many", ms=9, listener="zoe")
        for number, track in enumerate(many)
    ]
    if change == "features":
        computed.store(*plays)
        computed.refresh()
        computed.insert("track_features", [
            {"track_uri": row["track_uri"], "source": "reccobeats", "fetched_at": NOON,
             "duration_ms": 100_000} for row in plays
        ])  # fmt: skip
    else:
        computed.store(*plays)

    # NOON is in May.
    assert computed.database.run("SELECT derived.refresh(0)") == [[1]]
    stale = "SELECT listener, marked_months FROM reporting.freshness ORDER BY 1"
    assert computed.reader.run(stale) == [["me", 0], ["zoe", 1]]


def test_a_refresh_starts_with_the_newest_months(computed):
    computed.listen_in("Asia/Kolkata")
    computed.listen_in("UTC")
    computed.store(a_play("2020-01-01T12:00Z"), a_play("2024-06-02T12:00Z", "new", ms=0))
    computed.database.run("SELECT derived.refresh(1)")

    review = "SELECT listened_month, plays_all FROM reporting.month_review ORDER BY 1"
    assert computed.reader.run(review) == [[MAY, 2], [JUNE, 2]]


def test_an_update_that_affects_no_figure_makes_no_month_stale(computed):
    computed.know("june", duration_ms=None, popularity=5)
    computed.database.run("UPDATE listening_history SET popularity = 5")
    computed.database.run("UPDATE track_features SET popularity = 6")

    assert computed.database.run("SELECT months FROM derived.waiting(now())") == [[0]]


def test_no_role_except_the_loader_can_use_schema_derived(computed, connect):
    for role, statement in [
        ("reader", "SELECT * FROM derived.hour"),
        ("reader", "SELECT derived.refresh(1)"),
        ("loader", "DELETE FROM derived.mark"),
    ]:
        with pytest.raises(DatabaseError, match="permission denied"):
            connect(role).run(statement)
