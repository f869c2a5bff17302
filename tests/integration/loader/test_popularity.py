"""Popularity has its own time, and is filled into plays that lack it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations

import pytest

from services.loader.statements import STATEMENTS
from services.loader.store import Store
from shared.models import EnrichedBatch
from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, a_play, features

TABLES = ("listening_history", "merged_record", "poll", "gap", "loaded_batch", "import_report")
STORED = "SELECT popularity, popularity_source, popularity_fetched_at FROM track_features"
SHOWN = "SELECT track_uri, popularity FROM listening_history ORDER BY played_at, track_uri"
RECORDS = "SELECT source, popularity FROM merged_record ORDER BY source DESC, played_at"
BOATS, LAKES = "spotify:track:boats", "spotify:track:lakes"


def popular(popularity=50, track="boats", asked_after_s=0, source="spotify", **fields):
    """Features whose popularity has another source and time than the measures."""
    return features(
        track,
        popularity=popularity,
        popularity_source=source,
        popularity_fetched_at=NOON + timedelta(seconds=asked_after_s),
        **fields,
    )


def healing(*known, number=0):
    return EnrichedBatch(origin="healing/2026-11-01", number=number, features=known)


def test_healed_features_are_stored_without_a_row_in_loaded_batch(load, rows):
    load(healing(popular(tempo=120.0)))

    assert rows("SELECT track_uri, tempo, source FROM track_features") == [
        [BOATS, 120.0, "reccobeats"]
    ]
    assert rows(STORED) == [[50, "spotify", NOON]]
    assert [rows(f"TABLE {table}") for table in TABLES] == [[]] * len(TABLES)


def test_popularity_is_stored_for_track_ids_with_any_allowed_character(load, rows):
    ids = ("~a.b-c_1", "null", "1" * 200)
    load(a_batch(*(a_play(60 * n, track) for n, track in enumerate(ids))))

    load(healing(*(popular(track=track) for track in ids)))

    assert rows(SHOWN) == [[f"spotify:track:{track}", 50] for track in ids]


@pytest.mark.parametrize("order", [1, -1], ids=["play first", "healing first"])
def test_healed_popularity_is_stored_on_the_plays_of_every_listener(load, rows, order):
    plays = a_batch(a_play()), a_batch(a_play(), origin="2", listener="jane")

    for batches in [plays, [healing(popular())]][::order]:
        load(*batches)

    assert rows(SHOWN) == [[BOATS, 50], [BOATS, 50]]


def test_one_load_can_contain_both_healed_features_and_plays(load, rows):
    load(healing(popular()), a_batch(a_play()), a_batch(a_play(3_600, "lakes"), number=1))

    assert rows(SHOWN) == [[BOATS, 50], [LAKES, None]]


def test_popularity_on_a_later_play_also_fills_earlier_plays_of_the_track(load, rows):
    load(a_batch(a_play()))

    load(a_batch(a_play(3_600, popularity=50), number=1, features=(popular(),)))

    assert rows(SHOWN) == [[BOATS, 50], [BOATS, 50]]


def test_a_stored_popularity_is_not_overwritten_on_a_play(load, rows):
    load(a_batch(a_play(popularity=7), a_play(3_600, popularity=0), a_play(7_200)))

    load(healing(popular()))

    assert rows(SHOWN) == [[BOATS, 7], [BOATS, 0], [BOATS, 50]]


def test_features_without_popularity_leave_plays_without_it(load, rows):
    load(a_batch(a_play()))

    load(healing(features(tempo=120.0)))

    assert rows(SHOWN) == [[BOATS, None]]
    assert rows(STORED) == [[None, None, None]]


def test_a_polls_popularity_replaces_the_exports_popularity_once_it_is_known(load, rows):
    exported = a_play(3, "lakes", isrc="QZAAA2600001", ms_played=60_000)
    load(a_batch(a_play(isrc="QZAAA2600001")), a_batch(exported, source=EXPORT, origin="2"))

    load(healing(popular(70, "lakes")))
    export_only = rows(SHOWN)
    load(healing(popular(50)))

    assert export_only == [[BOATS, 70]]
    assert rows(SHOWN) == [[BOATS, 50]]
    assert rows(RECORDS) == [["recently-played", 50], ["extended-history", 70]]


def test_a_row_merged_from_two_polls_shows_the_greater_popularity(load, rows):
    load(a_batch(a_play(0, popularity=20), a_play(0.5)))

    load(healing(popular(50)))

    assert rows(SHOWN) == [[BOATS, 50]]
    assert rows("SELECT count(*) FROM merged_record WHERE popularity IS NULL") == [[0]]


def test_a_repeated_play_without_popularity_keeps_the_stored_popularity(load, rows):
    batch = a_batch(a_play(0), a_play(0.5))
    load(batch)
    load(healing(popular()))
    before = rows("SELECT * FROM listening_history"), rows("TABLE merged_record")

    load(batch)

    assert rows(SHOWN) == [[BOATS, 50]]
    assert (rows("SELECT * FROM listening_history"), rows("TABLE merged_record")) == before


def test_a_row_that_a_later_record_changes_keeps_its_popularity(load, rows):
    load(a_batch(a_play()))
    load(healing(popular()))

    load(a_batch(a_play(0.5), number=1), a_batch(a_play(album_name="Lake"), number=2))

    assert rows(SHOWN) == [[BOATS, 50]]
    assert rows("SELECT count(*), min(popularity) FROM merged_record") == [[2, 50]]


def test_stored_popularity_is_filled_into_plays_loaded_later(load, rows):
    load(healing(popular()))

    load(a_batch(a_play(), features=(popular(),)))

    assert rows(SHOWN) == [[BOATS, 50]]


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
@pytest.mark.parametrize("stores", [1, 3], ids=["one store", "stores of their own"])
def test_the_newest_popularity_and_newest_measures_are_kept_separately(
    database, rows, order, stores
):
    answers = [
        popular(10, asked_after_s=3, tempo=100.0, fetched_after_s=1, source="reccobeats"),
        popular(20, asked_after_s=1, tempo=200.0, fetched_after_s=3),
        features(tempo=300.0, fetched_after_s=2),
    ]
    opened = [Store(database) for _ in range(stores)]

    for number, n in enumerate(order):
        opened[number % stores].load([healing(answers[n], number=number)])

    assert rows("SELECT tempo, fetched_at FROM track_features") == [
        [200.0, NOON + timedelta(seconds=3)]
    ]
    assert rows(STORED) == [[10, "reccobeats", NOON + timedelta(seconds=3)]]


@pytest.mark.parametrize("order", [1, -1], ids=["in order", "newer first"])
def test_two_feature_responses_in_one_load_merge_as_in_two_loads(load, rows, order):
    older, newer = popular(10, tempo=100.0), popular(20, asked_after_s=9, fetched_after_s=-1)

    load(a_batch(features=(older, newer)[::order]))

    assert rows("SELECT tempo FROM track_features") == [[100.0]]
    assert rows(STORED)[0][0] == 20


@pytest.mark.parametrize(
    ("first", "second", "stored"),
    [
        pytest.param(
            popular(10), popular(20, asked_after_s=1), [20, "spotify", 1], id="newer popularity"
        ),
        pytest.param(
            features(tempo=1.0), popular(20, tempo=1.0), [20, "spotify", 0], id="first popularity"
        ),
        pytest.param(
            features(popularity=10, fetched_after_s=5),
            popular(20, asked_after_s=4),
            [10, "reccobeats", 5],
            id="a popularity without a time has that of the measures",
        ),
    ],
)
def test_the_newest_popularity_is_stored(load, rows, first, second, stored):
    load(healing(first))
    load(healing(second))

    *known, after_s = stored
    assert rows(STORED) == [[*known, NOON + timedelta(seconds=after_s)]]


def test_storing_healed_features_waits_for_another_loaders_commit(database, connect, rows):
    other = connect("loader")
    other.run("BEGIN")
    other.run(STATEMENTS["lock_writing"])
    other.run(
        "INSERT INTO listening_history "
        "(track_uri, track_name, artist_name, played_at, listener, source) "
        "VALUES (:boats, 'Boats', 'The Example', now(), 'jane', 'recently-played')", boats=BOATS
    )  # fmt: skip

    with ThreadPoolExecutor() as pool:
        healed = pool.submit(Store(connect("loader")).load, [healing(popular())])
        with pytest.raises(TimeoutError):
            healed.result(timeout=0.5)
        other.run("COMMIT")
        healed.result(timeout=60)

    assert rows(SHOWN) == [[BOATS, 50]]


def test_concurrent_loads_of_plays_and_features_leave_no_play_without_popularity(connect, rows):
    tracks = [f"track{n}" for n in range(40)]
    plays = [
        [a_batch(*(a_play(60 * n, track) for n, track in enumerate(tracks)), origin=f"{listener}",
                 listener=listener)]
        for listener in ("a", "b", "c")
    ]  # fmt: skip
    heals = [[healing(popular(50, track), number=n)] for n, track in enumerate(tracks)]

    def run(loads):
        store = Store(connect("loader"))
        for batches in loads:
            store.load(batches)

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, [plays, heals, heals[::-1]], timeout=60))

    assert rows("SELECT count(*), count(popularity) FROM listening_history") == [[120, 120]]
