"""The rules of identity with a real Postgres: rows, counts, repeated files."""

from datetime import timedelta
from functools import partial
from operator import itemgetter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.loader.domain.identity import MATCH_WINDOW
from services.loader.store import Store
from tests.unit.loader.loader_examples import API, EXPORT, NOON, a_batch, features
from tests.unit.loader.memory_table import exported, reported
from tests.unit.loader.random_records import RECORDS

SHOWN = """
SELECT track_uri, played_at, ms_played, source, history_ts, isrc, platform, popularity
FROM listening_history ORDER BY played_at, track_uri
"""
FEW_RECORDS = RECORDS.map(lambda records: records[:12]).filter(bool)
IDS = "mnabcdefg"
"""The id of each track of RECORDS."""
few_examples = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def load(database):
    """Load records, each part through a store of its own."""

    def in_batches(records, origin, per_batch=3, window=MATCH_WINDOW):
        for source in (API, EXPORT):
            plays = [play for each, play in records if each == source]
            parts = [plays[i : i + per_batch] for i in range(0, len(plays), per_batch)]
            Store(database, window).load(
                [a_batch(*part, source=source, origin=f"{origin}/{source}", number=number)
                 for number, part in enumerate(parts)]
            )  # fmt: skip

    return in_batches


@pytest.fixture
def heal(database):
    """Load the popularity of a track through a store of its own."""
    return lambda track: Store(database).load(
        [a_batch(origin="healing", listener=None, source=None,
                 features=(features(track, popularity=50),))]
    )  # fmt: skip


@pytest.fixture
def empty(owner):
    return lambda: owner.run(
        "TRUNCATE listening_history, merged_record, track_features, loaded_batch RESTART IDENTITY"
    )


@few_examples
@given(records=FEW_RECORDS, data=st.data())
def test_order_batching_and_repetition_of_loads_do_not_change_rows(
    empty, load, rows, records, data
):
    empty()
    load(records, "at-once", per_batch=500)
    at_once = rows(SHOWN)
    empty()
    shuffled = data.draw(st.permutations(records))

    for index, record in enumerate(shuffled):
        load([record], f"part-{index}")
    load(shuffled, "again", per_batch=1)

    assert rows(SHOWN) == at_once
    assert rows("SELECT sum(inserted + regrouped) FROM loaded_batch") == [[len(at_once)]]


@few_examples
@given(data=st.data())
def test_features_loaded_between_plays_change_only_popularity(empty, load, heal, rows, data):
    records = data.draw(FEW_RECORDS)
    heals = data.draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(IDS)), max_size=3))
    empty()
    load(records, "at-once", per_batch=500)
    at_once = rows(SHOWN)
    empty()
    steps = [(at, partial(heal, track)) for at, track in [*heals, *((13, track) for track in IDS)]]
    steps += [(n, partial(load, [record], f"part-{n}"))
              for n, record in enumerate(data.draw(st.permutations(records)))]  # fmt: skip

    for _, step in sorted(steps, key=itemgetter(0)):
        step()
    load(data.draw(st.permutations(records)), "again", per_batch=1)

    *others, popularity = zip(*rows(SHOWN), strict=True)
    assert others == list(zip(*at_once, strict=True))[:-1]
    assert None not in popularity


def test_repeated_records_leave_every_row_unchanged(load, rows):
    records = [reported(0), reported(0.4), exported(2, ms=60_000), exported(2, "b", ms=0)]
    tables = ("SELECT * FROM listening_history ORDER BY id",
              "SELECT * FROM merged_record ORDER BY played_at")  # fmt: skip
    load(records, "first")
    before = [rows(table) for table in tables]

    load(records, "second")

    assert [rows(table) for table in tables] == before


def test_an_upgraded_row_keeps_its_id(load, rows):
    load([reported(0.5)], "live")
    (before,) = rows("SELECT id FROM listening_history")

    load([exported(3, ms=60_000)], "export")

    assert rows("SELECT id, source, ms_played, played_at, history_ts FROM listening_history") == [
        [*before, "both", 60_000, NOON + timedelta(milliseconds=500), NOON + timedelta(seconds=3)]
    ]


def test_a_record_still_finds_its_row_after_the_match_window_shrinks(load, rows):
    load([reported(60), exported(0)], "wide")

    load([exported(0)], "narrow", window=timedelta(seconds=30))

    assert rows(
        "SELECT inserted, upgraded FROM loaded_batch WHERE origin LIKE 'narrow%'"
    ) == [[0, 0]]  # fmt: skip
