"""What a load writes besides rows of plays: the ledger, reports and features."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from services.loader import features as loader_features
from services.loader.store import Store
from shared.errors import DatabaseRefusalError
from shared.models import FileProblem, Gap, PollReport, Span, UploadReport
from tests.unit.loader.loader_examples import (
    API,
    EXPORT,
    NOON,
    a_batch,
    a_play,
    features,
    plays_apart,
)

UPLOAD = "history/me/my_data.zip?versionId=1"
COUNTS = "SELECT plays, inserted, upgraded, duplicates FROM loaded_batch ORDER BY origin, number"
TABLES = ("listening_history", "merged_record", "track_features", "poll", "gap", "loaded_batch",
          "import_report")  # fmt: skip
MEASURES: dict[str, Any] = {
    "danceability": 0.1, "energy": 0.2, "key": -1, "loudness": -60.5, "mode": 0,
    "speechiness": 0.3, "acousticness": 0.4, "instrumentalness": 0.0, "liveness": 0.6,
    "valence": 1.0, "tempo": 174.023, "duration_ms": 181_000, "time_signature": 5,
}  # fmt: skip
ORDERS = list(permutations([0, 1, 2]))


def of_age(age):
    """Features fetched `age` seconds after noon, with `age` as tempo."""
    return features(fetched_after_s=age, tempo=float(age))


def poll(gap=None):
    return PollReport(polled_at=NOON, returned=50, new=3, late=2, moved=1, unreadable=4, gap=gap)


def upload(batches=1, **fields):
    fields = {"rows_in": 10, "published": 7, "skipped": {"podcast": 2}, "quarantined": {"no ts": 1},
            **fields}  # fmt: skip
    return UploadReport(batches=batches, **fields)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_the_newest_features_of_a_track_in_one_load_are_stored(load, rows, order):
    first, *rest = map(of_age, order)

    load(a_batch(features=(first,)), a_batch(number=1, features=tuple(rest)))

    assert rows("SELECT tempo FROM track_features") == [[2.0]]


def test_all_feature_columns_are_stored_unchanged(load, rows):
    load(a_batch(features=(features(**MEASURES),)))

    ((stored,),) = rows("SELECT to_jsonb(t) FROM track_features t")
    assert {name: stored[name] for name in MEASURES} == MEASURES
    assert rows("SELECT track_uri, source, fetched_at FROM track_features") == [
        ["spotify:track:boats", "reccobeats", NOON]
    ]


def answer_of(source, fetched_after_s, **fields):
    """Features of one source, fetched some seconds after noon."""
    return features(fetched_after_s=fetched_after_s, **fields).model_copy(update={"source": source})


SOUND = "SELECT tempo, energy, time_signature, source, fetched_at FROM track_features"
ANSWERS = [
    answer_of("spotify", 0, duration_ms=180_000, popularity=5),
    answer_of("spotify", 1, tempo=99.0, time_signature=4, duration_ms=181_000),
    answer_of("reccobeats", 2, tempo=100.0, energy=0.5),
    answer_of("spotify", 3, duration_ms=179_000, popularity=7),
]


@pytest.mark.parametrize("answers", list(permutations(ANSWERS)))
@pytest.mark.parametrize("stores", [1, 4], ids=["one store", "stores of their own"])
def test_audio_measures_come_from_the_newest_response_that_has_any(database, rows, answers, stores):
    opened = [Store(database) for _ in range(stores)]

    for number, each in enumerate(answers):
        opened[number % stores].load([a_batch(number=number, features=(each,))])

    assert rows(SOUND) == [[100.0, 0.5, None, "reccobeats", NOON + timedelta(seconds=2)]]
    assert rows("SELECT duration_ms, popularity FROM track_features") == [[181_000, 7]]


@pytest.mark.parametrize("answers", list(permutations(ANSWERS[::3])), ids=["in order", "reverse"])
def test_the_newest_response_is_the_source_if_none_has_audio_measures(load, rows, answers):
    load(a_batch(features=answers))

    assert rows(SOUND) == [[None, None, None, "spotify", NOON + timedelta(seconds=3)]]
    assert rows("SELECT tells_sound FROM track_features") == [[False]]


@pytest.mark.parametrize("measure", sorted(MEASURES.keys() - {"duration_ms"}))
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "at the end"])
def test_a_response_with_at_least_one_audio_measure_becomes_the_source(
    database, rows, measure, order
):
    answers = [features(**{measure: MEASURES[measure]}), answer_of("spotify", 1, duration_ms=1)]

    for number, each in enumerate(answers[::order]):
        Store(database).load([a_batch(number=number, features=(each,))])

    assert rows(f"SELECT {measure}, duration_ms, source, fetched_at FROM track_features") == [  # noqa: S608 - our words
        [MEASURES[measure], 1, "reccobeats", NOON]
    ]


@pytest.mark.parametrize("order", [1, -1], ids=["sound first", "sound last"])
def test_a_response_with_audio_measures_beats_a_simultaneous_one_without_any(database, rows, order):
    answers = [features(tempo=120.0), answer_of("spotify", 0, duration_ms=1)]

    for number, each in enumerate(answers[::order]):
        Store(database).load([a_batch(number=number, features=(each,))])

    assert rows("SELECT tempo, duration_ms, source FROM track_features") == [
        [120.0, 1, "reccobeats"]
    ]


def test_repeated_feature_responses_write_no_row(database, rows):
    batch = a_batch(features=ANSWERS)
    Store(database).load([batch])
    before = rows("SELECT xmin::text, ctid::text FROM track_features")

    Store(database).load([batch])

    assert rows("SELECT xmin::text, ctid::text FROM track_features") == before


def test_features_of_new_tracks_are_inserted_without_on_conflict(database, monkeypatch):
    run, written = database.run, []

    def noted(statement, **parameters):
        if "INTO track_features" in statement:
            written.append(("ON CONFLICT" in statement, len(json.loads(parameters["features"]))))
        return run(statement, **parameters)

    monkeypatch.setattr(database, "run", noted)
    known = tuple(features(f"track{n}") for n in range(5))

    Store(database).load([a_batch(features=known[:3])])
    Store(database).load([a_batch(features=known, number=1)])

    assert written == [(False, 3), (False, 2), (True, 3)]


def test_an_infinite_audio_measure_is_stored_as_null(load, rows):
    load(a_batch(features=(features(loudness=float("-inf"), tempo=float("inf")),)))

    assert rows("SELECT loudness, tempo FROM track_features") == [[None, None]]


def test_a_store_sends_the_same_features_to_postgres_only_once(load, rows, owner):
    load(a_batch(features=(features("first"), of_age(1))))
    owner.run("DELETE FROM track_features WHERE tempo IS NOT NULL")

    load(a_batch(number=1, features=(of_age(1), of_age(1))))
    again = rows("SELECT tempo FROM track_features")
    load(a_batch(number=2, features=(of_age(2),)))

    assert again == [[None]]
    assert rows("SELECT tempo FROM track_features ORDER BY 1") == [[2.0], [None]]


def test_older_features_fill_audio_measures_that_newer_ones_lack(load, rows):
    newer, older = answer_of("spotify", 1, popularity=7), features(tempo=120.0)

    load(a_batch(features=(newer, older)))
    load(a_batch(number=1, features=(features(fetched_after_s=-1, duration_ms=5),)))

    assert rows("SELECT popularity, tempo, duration_ms FROM track_features") == [[7, 120.0, 5]]


def test_features_of_a_refused_load_are_sent_with_the_next_load(load, rows):
    with pytest.raises(DatabaseRefusalError):
        load(a_batch(number=2**31, features=(of_age(1),)))

    load(a_batch(features=(of_age(1),)))

    assert rows("SELECT tempo FROM track_features") == [[1.0]]


def test_a_store_caches_loaded_features_of_a_limited_number_of_tracks(
    load, rows, owner, monkeypatch
):
    monkeypatch.setattr(loader_features, "REMEMBERED_TRACKS", 1)
    load(a_batch(features=(features("a"), features("b"))))
    load(a_batch(number=1, features=(features("c"), features("d"))))
    owner.run("DELETE FROM track_features WHERE track_uri <> 'spotify:track:c'")

    load(a_batch(number=2, features=[*map(features, "abcd")]))

    assert rows("SELECT track_uri FROM track_features ORDER BY 1") == [
        ["spotify:track:a"], ["spotify:track:b"], ["spotify:track:c"],
    ]  # fmt: skip


def test_a_batch_without_plays_is_recorded_and_its_features_stored(load, rows):
    load(a_batch(origin="healing/2026-11-01", features=(features("a"), features("b"))))

    assert rows("SELECT track_uri FROM track_features ORDER BY 1") == [
        ["spotify:track:a"], ["spotify:track:b"],
    ]  # fmt: skip
    assert rows(COUNTS) == [[0, 0, 0, 0]]
    assert rows("SELECT * FROM listening_history") == []


def test_loaded_batch_counts_inserted_upgraded_and_duplicate_plays(load, rows):
    load(a_batch(a_play(0, "a"), a_play(3_600, "b"), origin="1"))

    load(
        a_batch(a_play(0, "a"), a_play(7_200, "c"), origin="2"),
        a_batch(a_play(30, "a", ms_played=180_000), source=EXPORT, origin="3"),
        a_batch(origin="4"),
    )

    assert rows(COUNTS) == [[2, 2, 0, 0], [2, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]
    assert rows("SELECT listener, regrouped FROM loaded_batch") == [["me", 0]] * 4


def test_a_redelivery_does_not_change_the_loaded_batch_row(load, rows):
    load(a_batch(*plays_apart(3)))
    (loaded_at,) = rows("SELECT loaded_at FROM loaded_batch")

    load(a_batch(*plays_apart(3)))

    assert rows(COUNTS) == [[3, 3, 0, 0]]
    assert rows("SELECT loaded_at FROM loaded_batch") == [loaded_at]


def test_a_batch_repeated_in_one_load_is_counted_once(load, rows):
    load(a_batch(*plays_apart(3)), a_batch(*plays_apart(3)))

    assert rows(COUNTS) == [[3, 3, 0, 0]]
    assert rows("SELECT count(*) FROM listening_history") == [[3]]


def test_a_redelivered_poll_is_recorded_once(load, rows):
    batch = a_batch(a_play(), report=poll())

    load(batch)
    load(batch)

    assert rows("TABLE poll") == [["polls/me/1", "me", NOON, 50, 3, 2, 1, 4]]
    assert rows("TABLE gap") == []


def test_a_redelivered_upload_report_is_recorded_once(load, rows):
    report = upload(
        files=("MyData/endsong_0.json",),
        problems=(FileProblem(file="b\\.json", reason='not "JSON"'),),
        first_played_at=NOON,
        last_played_at=NOON + timedelta(milliseconds=1),
        spans=(Span(started_at=NOON, ended_at=NOON + timedelta(milliseconds=1)),),
        unusual_ids=3,
    )

    load(a_batch(source=EXPORT, origin=UPLOAD, report=report))
    (first,) = rows("SELECT * FROM import_report")
    load(a_batch(source=EXPORT, origin=UPLOAD, report=report))

    ((*stored, reported_at, spans, unusual_ids),) = rows("SELECT * FROM import_report")
    assert reported_at == first[-3]
    assert stored == [
        UPLOAD, "me", 1, 10, 7, {"podcast": 2}, {"no ts": 1}, ["MyData/endsong_0.json"],
        [{"file": "b\\.json", "reason": 'not "JSON"'}], NOON, NOON + timedelta(milliseconds=1),
    ]  # fmt: skip
    assert spans == [
        {"started_at": "2026-11-01T12:00:00Z", "ended_at": "2026-11-01T12:00:00.001000Z"}
    ]
    assert unusual_ids == 3


@pytest.fixture
def result(connect):
    """Read the reconciled report of the upload as role reader."""
    reader = connect("reader")

    def read(*columns):
        ((found,),) = reader.run("SELECT to_jsonb(r) FROM reporting.import_result r")
        return [found[column] for column in columns]

    return read


def test_an_upload_is_complete_once_every_batch_is_loaded(load, result):
    first, second, last = (
        a_batch(*plays, source=EXPORT, origin=UPLOAD, number=number, report=report)
        for number, (plays, report) in enumerate(
            [(plays_apart(3), None), (plays_apart(3, first=3), None), ((), upload(batches=3))]
        )
    )

    load(last, first)
    before = result("is_complete", "inserted", "duplicates")
    load(second)

    assert before == [False, 3, 0]
    assert result("is_complete", "inserted", "duplicates") == [True, 6, 0]


def test_an_upload_without_plays_is_complete(load, result):
    load(a_batch(source=EXPORT, origin=UPLOAD, report=upload(published=0, rows_in=3)))

    assert result("is_complete", "inserted", "upgraded", "duplicates", "api_rows") == [
        True, 0, 0, 0, 0,
    ]  # fmt: skip


def test_the_counts_of_an_upload_add_up_to_its_export_rows(load, result):
    played = {"ms_played": 180_000}
    first = a_play(0, "a", **played), a_play(3_600, "b", **played), a_play(7_200, "c", **played)
    report = upload(
        rows_in=6,
        published=5,
        skipped={"podcast": 1},
        quarantined={},
        batches=2,
        first_played_at=NOON,
        last_played_at=NOON + timedelta(hours=3),
    )
    load(a_batch(a_play(2, "a"), a_play(3_604, "b"), a_play(9_000, "reported")))

    load(
        a_batch(*first, source=EXPORT, origin=UPLOAD),
        a_batch(first[2], a_play(10_800, "d", **played), source=EXPORT, origin=UPLOAD, number=1,
                report=report),
    )  # fmt: skip

    assert result("is_complete", "inserted", "upgraded", "duplicates") == [True, 2, 2, 1]
    assert result("rows_in", "published", "skipped") == [6, 2 + 2 + 1, {"podcast": 1}]
    assert result("api_rows", "api_rows_without_partner") == [3, 1]
    assert result("offset_p50_s", "offset_p99_s") == [3.0, pytest.approx(3.98)]


def test_an_upload_result_excludes_plays_of_other_listeners(load, result):
    report = upload(first_played_at=NOON, last_played_at=NOON + timedelta(hours=1))
    load(a_batch(a_play(60), listener="jane"))

    load(a_batch(source=EXPORT, origin=UPLOAD, report=report))

    assert result("api_rows", "offset_p50_s") == [0, None]


def test_plays_of_two_listeners_in_one_load_stay_separate(load, rows):
    mine, hers = a_batch(a_play(), origin="1"), a_batch(a_play(), origin="2", listener="jane")

    load(mine, hers, a_batch(a_play(), a_play(3_600), origin="3"))

    assert rows(COUNTS) == [[1, 1, 0, 0], [1, 1, 0, 0], [2, 1, 0, 1]]
    assert rows("SELECT listener, count(*) FROM listening_history GROUP BY 1 ORDER BY 1") == [
        ["jane", 1], ["me", 2],
    ]  # fmt: skip


def test_a_load_with_a_refused_batch_stores_nothing(load, rows):
    gap = Gap(started_at=NOON, ended_at=NOON, reason="a full page")
    good = a_batch(a_play(), a_play(0.5), origin="1", features=(features(),), report=poll(gap))
    good_upload = a_batch(source=EXPORT, origin=UPLOAD, report=upload())
    refused = a_batch(a_play(3_600), origin="2", listener="zoe", number=2**31)

    with pytest.raises(DatabaseRefusalError, match="22003"):
        load(good, good_upload, refused)

    assert [rows(f"TABLE {table}") for table in TABLES] == [[]] * len(TABLES)


def test_a_store_can_load_after_a_refused_batch(load, rows):
    with pytest.raises(DatabaseRefusalError):
        load(a_batch(a_play(), number=2**31))

    load(a_batch(a_play()))

    assert rows(COUNTS) == [[1, 1, 0, 0]]


@pytest.fixture
def at_once(connect):
    """Run two loaders at the same time, each with its share of the loads."""

    def load_all(store, loads):
        for batches in loads:
            store.load(batches)

    def run(*shares):
        stores = [Store(connect("loader")) for _ in shares]
        with ThreadPoolExecutor() as pool:
            list(pool.map(load_all, stores, shares, timeout=60))

    return run


def test_two_concurrent_loaders_store_every_play_once(at_once, rows):
    shared = [[a_batch(*plays_apart(40, first=20 * n), origin=f"{n}")] for n in range(10)]

    at_once(shared, shared[::-1])

    assert rows("SELECT count(*), count(DISTINCT track_uri) FROM listening_history") == [[220, 220]]
    assert rows("SELECT count(*), sum(plays), sum(inserted) FROM loaded_batch") == [[10, 400, 220]]


def test_loaders_that_share_listeners_and_features_do_not_deadlock(at_once, rows):
    known = tuple(features(f"track{n}") for n in range(30))
    ours = [
        [a_batch(*plays_apart(5), origin=f"a{n}", features=known[:20]),
         a_batch(*plays_apart(5), origin=f"b{n}", listener="jane", features=known[10:])]
        for n in range(10)
    ]  # fmt: skip
    theirs = [
        [a_batch(*plays_apart(5), origin=f"c{n}", listener="jane", features=known[::-1]),
         a_batch(*plays_apart(5), origin=f"d{n}", features=known[::-1])]
        for n in range(10)
    ]  # fmt: skip

    at_once(ours, theirs)

    assert rows("SELECT listener, count(*) FROM listening_history GROUP BY 1 ORDER BY 1") == [
        ["jane", 5], ["me", 5],
    ]  # fmt: skip
    assert rows("SELECT count(*), sum(plays), sum(inserted) FROM loaded_batch") == [[40, 200, 10]]
    assert rows("SELECT count(*) FROM track_features") == [[30]]


def test_loaders_that_share_only_features_do_not_deadlock(at_once, rows):
    def share(listener, tracks):
        return [
            [a_batch(listener=listener, origin=f"{listener}/{age}",
                     features=tuple(features(f"track{n}", age) for n in tracks))]
            for age in range(10)
        ]  # fmt: skip

    at_once(share("me", range(500)), share("jane", range(499, -1, -1)))

    assert rows("SELECT count(*), min(fetched_at) FROM track_features") == [
        [500, NOON + timedelta(seconds=9)]
    ]


def test_all_columns_of_a_play_are_stored_unchanged(load, rows):
    fields: dict[str, Any] = {
        "album_name": "Tab\there", "ms_played": 0, "popularity": 0, "duration_ms": 181_000,
        "isrc": "QZ", "context_uri": "spotify:album:a", "platform": "\\N", "country": "ZZ",
        "reason_start": "trackdone", "reason_end": "", "shuffle": True, "skipped": False,
        "offline": False, "incognito": True,
    }  # fmt: skip

    load(a_batch(a_play(0.007, **fields), source=API))

    ((stored,),) = rows("SELECT to_jsonb(h) FROM listening_history h")
    assert {name: stored[name] for name in fields} == fields
    assert rows("SELECT played_at, listener, source, history_ts FROM listening_history") == [
        [NOON + timedelta(milliseconds=7), "me", API, None]
    ]
