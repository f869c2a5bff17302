"""The rules of identity, one by one, and for every order, split and repetition."""

from datetime import timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.loader.domain.identity import MATCH_WINDOW
from services.loader.domain.merge import merge
from services.loader.domain.records import API, EXPORT, Record, Row
from shared.models import Play, Source
from tests.unit.loader.identity_model import rows_of
from tests.unit.loader.memory_table import (
    NOON,
    NarrowTable,
    Table,
    a_play,
    exported,
    reported,
    shown,
)
from tests.unit.loader.random_records import RECORDS


def loaded(*records: tuple[Source, Play]) -> Table:
    table = Table()
    table.load(records)
    return table


@pytest.mark.parametrize(
    ("records", "instants_s"),
    [
        pytest.param([reported(0), reported(0.999)], [0], id="API records less than 1 s apart"),
        pytest.param([reported(0), reported(1)], [0, 1], id="API records 1 s apart"),
        pytest.param([reported(0), reported(0.6), reported(1.2)], [0, 1.2], id="a chain of them"),
        pytest.param([reported(0, "a"), reported(0, "b")], [0, 0], id="two tracks of the API"),
        pytest.param([exported(0, "a"), exported(0, "b")], [0, 0], id="two tracks of an export"),
        pytest.param([exported(5, ms=1_001), exported(4, ms=1_001)], [4], id="moved by 1 s"),
        pytest.param([exported(0, ms=0), exported(1, ms=0)], [0, 1], id="two skips of 0 ms"),
        pytest.param([exported(0, ms=1_000), exported(1, ms=1_000)], [0, 1], id="1,000 ms each"),
        pytest.param([exported(0, ms=5_000), exported(1, ms=5_001)], [0, 1], id="other lengths"),
        pytest.param([exported(0, ms=5_000), exported(2, ms=5_000)], [0, 2], id="2 s apart"),
        pytest.param(
            [reported(0, "a", isrc="QZAAA2600001"), exported(3, "b", isrc="QZAAA2600001")],
            [0],
            id="a relinked track",
        ),
        pytest.param(
            [reported(0), exported(0, ms=3_000), (EXPORT, a_play(0.001, ms_played=0))],
            [0, 0.001, 0.002],
            id="skips within 1 ms of a taken instant",
        ),
    ],
)
def test_records_merge_into_one_row_per_play_by_time_track_and_length(records, instants_s):
    table = loaded(*records)

    assert sorted(row.played_at for row in table.rows.values()) == [
        NOON + timedelta(seconds=instant) for instant in instants_s
    ]


def test_the_longer_of_two_simultaneous_export_records_is_kept():
    table = loaded(exported(ms=20_000), exported(ms=30_000), exported(ms=0))

    assert [row.values()[5] for row in table.rows.values()] == [30_000]


@pytest.mark.parametrize("apart_s", [-90, -1.5, 0, 90])
@pytest.mark.parametrize("order", [1, -1], ids=["API first", "export first"])
def test_an_export_record_upgrades_a_poll_row_loaded_before_or_after_it(apart_s, order):
    table = Table()

    for record in [reported(apart_s), exported(0, ms=61_000, platform="ios")][::order]:
        table.load([record])

    (row,) = table.rows.values()
    assert (row.source, row.played_at) == ("both", NOON + timedelta(seconds=apart_s))
    assert row.values()[5] == 61_000
    assert row.values()[10] == "ios"
    assert table.outcomes == {"inserted": 1, "upgraded": 1}


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(exported(0, ms=9_999), id="too short"),
        pytest.param(exported(-91), id="too early"),
        pytest.param(exported(91), id="too late"),
        pytest.param(exported(0, "b"), id="another track"),
    ],
)
def test_an_export_record_without_a_matching_poll_record_has_its_own_row(record):
    table = loaded(reported(0), record)

    assert {row.source for row in table.rows.values()} == {API, EXPORT}


def test_each_export_record_pairs_with_the_nearest_poll_record():
    table = loaded(reported(0), reported(60), exported(50, ms=11_000), exported(70, ms=12_000))

    upgraded = {row.played_at: row.values()[5] for row in table.rows.values()}
    assert upgraded == {NOON: 12_000, NOON + timedelta(seconds=60): 11_000}


def test_the_greater_of_two_popularities_of_one_play_is_kept():
    table = loaded(reported(0, popularity=9), reported(0, popularity=70))

    assert [row.values()[6] for row in table.rows.values()] == [70]


@pytest.mark.parametrize("order", [1, -1], ids=["richer first", "popular first"])
def test_popularity_does_not_decide_which_record_of_a_play_is_kept(order):
    richer, popular = reported(0, isrc="QZ"), reported(0, popularity=9)

    table = loaded(*[richer, popular][::order])

    (row,) = table.rows.values()
    assert (row.values()[6], row.values()[8]) == (9, "QZ")


@pytest.mark.parametrize(
    ("popularities", "shown_popularity"),
    [((None, 9, 70), 9), ((None, None, 70), 70)],
    ids=["known to the API", "known to the export only"],
)
def test_a_row_has_the_polls_popularity_or_else_the_exports(popularities, shown_popularity):
    first, second, third = popularities

    table = loaded(
        reported(0, popularity=first),
        reported(0.5, popularity=second),
        exported(3, popularity=third),
    )

    assert [row.values()[6] for row in table.rows.values()] == [shown_popularity]


def test_a_merge_lists_the_written_tracks_without_popularity():
    changes = merge(
        [
            Record(source, play, 0)
            for source, play in (reported(0, "a"), reported(99, "b", popularity=0))
        ],
        lambda *_: [],
    )

    assert changes.tracks_without_popularity() == {"spotify:track:a"}


def test_records_of_different_tracks_in_one_second_stay_separate():
    crowd = [exported(0, f"{n}", ms=n) for n in range(400)]

    table = loaded(*crowd, *crowd)

    assert len(table.rows) == 400


def test_loading_the_same_records_again_changes_nothing():
    records = [reported(0), reported(0.5), exported(3), exported(200, "b"), exported(201, "b")]
    table = loaded(*records)
    before = table.shown()

    outcome = table.load(records)

    assert table.shown() == before
    assert outcome == {"duplicates": 5}


def test_outcome_counts_match_the_rows_if_an_older_record_splits_a_row():
    table = loaded(reported(0.9), reported(1.8))

    outcome = table.load([reported(0)])

    assert len(table.rows) == 2
    assert outcome["inserted"] + outcome["regrouped"] == 1


def test_outcome_counts_match_the_rows_if_a_longer_record_joins_two_rows():
    table = loaded(reported(0), exported(5, ms=4_000))

    outcome = table.load([exported(5, ms=40_000)])

    assert len(table.rows) == 1
    assert outcome == {"duplicates": 1, "regrouped": -1}


def test_a_narrower_match_window_splits_rows_without_losing_records():
    table = loaded(reported(0), exported(80))

    table.load([reported(0.5)], window=timedelta(seconds=60))

    assert {row.source: len(row.records) for row in table.rows.values()} == {API: 2, EXPORT: 1}


@settings(max_examples=400, deadline=None)
@given(records=RECORDS, data=st.data())
def test_order_batching_and_repetition_of_records_do_not_change_rows(records, data):
    shuffled = data.draw(st.permutations(records))
    repeated = shuffled + data.draw(st.lists(st.sampled_from(records or [reported()]), max_size=5))
    assume(records or not repeated)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(repeated)), max_size=6)))
    parts = [repeated[i:j] for i, j in zip([0, *cuts], [*cuts, len(repeated)], strict=True)]
    in_parts, narrow = Table(), NarrowTable()

    for part in parts:
        in_parts.load(part)
        narrow.load(part)

    at_once = shown(rows_of(records, MATCH_WINDOW))
    assert loaded(*records).shown() == at_once
    assert in_parts.shown() == at_once
    assert narrow.shown() == at_once


@settings(max_examples=400, deadline=None)
@given(records=RECORDS, cut=st.integers(0, 14))
def test_every_record_is_counted_once_as_inserted_upgraded_or_duplicate(records, cut):
    table = Table()

    outcomes = [table.load(records[:cut]), table.load(records[cut:])]

    for outcome, part in zip(outcomes, (records[:cut], records[cut:]), strict=True):
        assert min(outcome[b] for b in ("inserted", "upgraded", "duplicates")) >= 0
        counted = outcome["inserted"] + outcome["upgraded"] + outcome["duplicates"]
        assert counted == len(part)
    assert len(table.rows) == table.outcomes["inserted"] + table.outcomes["regrouped"]


@settings(max_examples=400, deadline=None)
@given(records=RECORDS)
def test_no_record_is_lost_and_records_of_a_source_merge_within_one_second_only(records):
    table = loaded(*records)

    held = [{(r.play.track_uri, r.source, r.play.played_at) for r in row.records}
            for row in table.rows.values()]  # fmt: skip
    expected = {(play.track_uri, source, play.played_at) for source, play in records}
    assert set().union(*held) == expected
    assert sum(map(len, held)) == len(expected)
    assert all(_spread(row, API) < timedelta(seconds=1) for row in table.rows.values())
    assert all(_spread(row, EXPORT) <= timedelta(seconds=1) for row in table.rows.values())
    # The unique key of the table.
    assert len({(row.played_at, row.values()[0]) for row in table.rows.values()}) == len(held)


def _spread(row: Row, source: str) -> timedelta:
    instants = [r.play.played_at for r in row.records if r.source == source]
    return max(instants) - min(instants) if instants else timedelta()
