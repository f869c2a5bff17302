"""The views after real loads: polls, an export that upgrades them, features."""

from datetime import timedelta

from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, a_play, features


def test_views_stay_correct_after_loading_polls_then_an_export_then_features(reporting, load):
    load(a_batch(a_play(0, "one"), a_play(100, "two"), a_play(400, "three")))

    assert reporting.shown("plays", "ended_at", "ms", "is_skip", "length_ms") == [
        [NOON, 210_000, None, None],
        [NOON + timedelta(seconds=100), 100_000, None, None],
        [NOON + timedelta(seconds=400), 210_000, None, None],
    ]
    reporting.compare()

    exported = [a_play(0, "zero", ms_played=1_000, artist_name="Various Artists"),
                a_play(50, "between", ms_played=20_000),
                a_play(100, "two", ms_played=50_000, reason_end="trackdone")]  # fmt: skip
    load(a_batch(*exported, source=EXPORT, origin="history/me/1.zip"))

    assert reporting.shown("plays", "track_name", "ms", "is_skip", "source") == [
        ["Name of between", 20_000, True, "extended-history"],
        ["Name of one", 210_000, None, "recently-played"],
        ["Name of three", 210_000, None, "recently-played"],
        ["Name of two", 50_000, False, "both"],
        ["Name of zero", 1_000, True, "extended-history"],
    ]
    assert reporting.shown("skips_by_month", "plays_all", "skips", "skips_known") == [[5, 2, 3]]
    reporting.compare()

    load(a_batch(origin="healing", features=(features("three", energy=0.5, duration_ms=90_000),)))

    assert reporting.shown("tracks", "track_name", "ms")[2] == ["Name of three", 90_000]
    assert reporting.shown("mood_by_month", "plays_all", "plays_with_features") == [[5, 1]]
    reporting.compare()


def test_a_repeated_upload_leaves_every_view_unchanged(reporting, load):
    batch = a_batch(a_play(0, "one", ms_played=50_000), source=EXPORT, origin="history/me/1.zip")
    load(batch)
    reporting.refresh()
    before = reporting.read_views()
    load(batch)
    load(a_batch(*batch.plays, source=EXPORT, origin="history/me/2.zip"))
    reporting.refresh()

    after = reporting.read_views()
    for views in (before, after):
        (freshness,) = views["freshness"]
        freshness.pop("last_loaded_at")
    assert after == before
