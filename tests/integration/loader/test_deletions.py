"""Deletions with a real Postgres: what they match, keep out, count, and bring back."""

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader import deletions
from services.loader.store import Store
from shared.deletions import Deletion, DeletionRule, Undo
from shared.models import UploadReport
from tests.unit.loader.loader_examples import API, EXPORT, NOON, a_batch, features
from tests.unit.loader.memory_table import exported, reported
from tests.unit.loader.random_records import RECORDS

SHOWN = """
SELECT track_uri, track_name, artist_name, album_name, played_at, ms_played, source, history_ts,
       isrc, platform, popularity
FROM listening_history ORDER BY played_at, track_uri
"""
BOOKED = "SELECT coalesce(sum(inserted + regrouped), 0) FROM loaded_batch"
FEW_RECORDS = RECORDS.map(lambda records: records[:10]).filter(bool)
RULES = st.sampled_from(
    [
        {"platform": "ios"},
        {"shorter_than_ms": 5_001},
        {"tracks": ["name a", "spotify:track:d"]},
        {"artists": ["VARIOUS artists"], "since": NOON + timedelta(seconds=60)},
    ]
)


@pytest.fixture
def load(database):
    """Load records as one batch through a store of its own; return its counts."""
    numbers = count()

    def load(*records):
        origin = f"part/{next(numbers)}"
        for source in (API, EXPORT):
            plays = [play for each, play in records if each == source]
            if plays:
                Store(database).load([a_batch(*plays, source=source, origin=origin + source)])
        return database.run(
            "SELECT sum(inserted), sum(upgraded), sum(duplicates), sum(deleted) FROM loaded_batch "
            "WHERE starts_with(origin, :origin)",
            origin=origin,
        )[0]

    return load


@pytest.fixture
def delete(database):
    """Make a deletion; return the number of moved plays, and its undo."""
    instants = (datetime(2026, 12, 1, tzinfo=UTC) + timedelta(seconds=n) for n in count())

    def delete(**rule):
        made = Deletion(
            listener="me",
            rule=DeletionRule(**rule),
            deleted_at=next(instants),
            deleted_by="a person",
        )

        def undo():
            undone = Undo(
                listener="me",
                deleted_at=made.deleted_at,
                undone_at=made.deleted_at,
                undone_by="a person",
            )
            with database.transaction():
                return deletions.undo(database, undone)

        with database.transaction():
            return deletions.delete(database, made), undo

    return delete


@pytest.fixture
def rows(database):
    return database.run


@pytest.fixture
def empty(owner):
    return lambda: owner.run(
        "TRUNCATE listening_history, merged_record, track_features, loaded_batch, deletion, "
        "deleted_play, deleted_record RESTART IDENTITY"
    )


def test_a_deleted_play_is_kept_out_of_a_second_upload_and_restored_by_an_undo(load, delete, rows):
    records = [reported(0), exported(2), exported(300, "b"), reported(600, "c")]
    assert load(*records) == [3, 1, 0, 0]
    tables = [f"{table} ORDER BY played_at, track_uri" for table in
              ("SELECT * FROM listening_history", "SELECT * FROM merged_record")]  # fmt: skip
    before = [rows(table) for table in tables]

    moved, undo = delete(tracks=["NAME A"])

    assert moved == 1
    assert len(rows(SHOWN)) == 2
    assert rows(BOOKED) == [[2]]
    assert load(*records) == [0, 0, 2, 2]
    assert load(exported(900, "a"), exported(901, "b")) == [1, 0, 0, 1]
    assert rows(BOOKED) == [[len(rows(SHOWN))]] == [[3]]

    assert undo() == 2
    assert rows("SELECT count(*) FROM deleted_play") == [[0]]
    assert rows("SELECT count(*) FROM deleted_record") == [[0]]
    assert rows(BOOKED) == [[5]]
    known = [row for row in rows(tables[0]) if row[0] in {row[0] for row in before[0]}]
    assert [known, rows(tables[1])] == before


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_order_of_loads_deletions_and_undos_does_not_change_rows(
    empty, load, delete, rows, data
):
    records, rule = data.draw(FEW_RECORDS), data.draw(RULES)
    empty()
    load(*records)
    never = rows(SHOWN)
    delete(**rule)
    after = rows(SHOWN)
    empty()
    place = data.draw(st.integers(0, len(records)))

    for number, record in enumerate(data.draw(st.permutations(records))):
        if number == place:
            _, undo = delete(**rule)
        load(record)
    if place == len(records):
        _, undo = delete(**rule)

    assert rows(SHOWN) == after
    assert rows(BOOKED) == [[len(after)]]
    undo()
    assert rows(SHOWN) == never
    assert rows(BOOKED) == [[len(never)]]


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({"tracks": ["straße"]}, True),
        ({"tracks": ["ＳＴＲＡẞＥ  "]}, True),
        ({"tracks": ["spotify:track:Aa1"]}, True),
        ({"tracks": ["spotify:track:aa1"]}, False),
        ({"tracks": ["other", "Straße"]}, True),
        ({"tracks": ["stra"]}, False),
        ({"artists": ["dool"]}, True),
        ({"artists": ["dool"], "albums": ["other"]}, False),
        ({"albums": ["here now"]}, True),
        ({"platform": "CAST"}, True),
        ({"platform": "ios"}, False),
        ({"shorter_than_ms": 30_001}, True),
        ({"shorter_than_ms": 30_000}, False),
        ({"since": NOON}, True),
        ({"since": NOON + timedelta(milliseconds=1)}, False),
        ({"until": NOON}, False),
        ({"until": NOON + timedelta(milliseconds=1)}, True),
        ({"tracks": [], "artists": ["Dool"], "platform": None}, True),
    ],
)
def test_a_play_matches_a_deletion_rule_if_it_meets_every_condition(
    load, delete, rows, rule, matches
):
    names = {"track_name": "Straße", "artist_name": "Dool", "album_name": "Here Now"}
    load(exported(0, "Aa1", ms=30_000, platform="google cast_tv", **names))

    moved, _ = delete(**rule)

    assert moved == matches


@pytest.mark.parametrize(
    "rule", [{"albums": ["x"]}, {"platform": "x"}, {"shorter_than_ms": 99_999_999}]
)
def test_a_deletion_rule_does_not_match_a_play_that_lacks_the_value(load, delete, rule):
    load(reported(0))

    assert delete(**rule)[0] == 0


def test_a_play_that_two_deletions_match_is_restored_once_both_are_undone(load, delete, rows):
    load(reported(0), reported(600, "b"))
    one, undo_one = delete(tracks=["Name a"])
    other, undo_other = delete(artists=["The Example"])

    assert (one, other) == (1, 1)
    assert (undo_one(), len(rows(SHOWN))) == (0, 0)
    assert (undo_other(), len(rows(SHOWN))) == (2, 2)


def test_an_undo_fills_in_popularity_that_arrived_while_the_plays_were_deleted(
    load, delete, rows, database
):
    load(reported(0), exported(2), reported(600))
    _, undo = delete(tracks=["Name a"])
    Store(database).load(
        [
            a_batch(
                origin="healing",
                listener=None,
                source=None,
                features=(features("a", popularity=50),),
            )
        ]
    )

    undo()

    assert rows("SELECT popularity FROM listening_history") == [[50], [50]]
    assert rows("SELECT popularity FROM merged_record") == [[50], [50]]


def test_an_upload_report_counts_plays_kept_out_by_a_deletion_as_skipped(database, delete, owner):
    delete(tracks=["Name a"])
    report = UploadReport(rows_in=5, published=3, skipped={"a podcast": 2}, batches=1)

    plays = [play for _, play in (exported(0), exported(300, "b"), exported(900, "a"))]
    batch = a_batch(*plays, source=EXPORT, origin="history/me/file.json", report=report)
    Store(database).load([batch])

    ((rows_in, inserted, upgraded, duplicates, skipped),) = owner.run(
        "SELECT rows_in, inserted, upgraded, duplicates, skipped FROM reporting.import_result "
        "WHERE is_complete"
    )
    assert skipped == {"a podcast": 2, "deleted by plays delete": 2}
    assert rows_in == inserted + upgraded + duplicates + sum(skipped.values())


def test_a_deleted_row_is_found_again_after_the_match_window_shrinks(database, delete, rows):
    records = [reported(500), exported(0)]
    batch = [a_batch(play, source=source, origin=source) for source, play in records]
    Store(database, timedelta(seconds=600)).load(batch)
    delete(tracks=["Name a"])

    Store(database).load([a_batch(records[1][1], source=EXPORT, origin="again")])

    # The narrow window parts the two records; a row that was not found would hold both still.
    assert rows("SELECT source FROM deleted_play ORDER BY source") == [[EXPORT], [API]]
