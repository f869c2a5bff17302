"""Deletions in the pure merge: what they keep out, for every order, and how it is counted."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loader.domain.records import FIELDS
from tests.unit.loader.memory_table import NarrowTable, Table, exported, reported
from tests.unit.loader.random_records import RECORDS


def has(field, *values):
    place = FIELDS.index(field)
    return lambda row: row.values()[place] in values


RULES = [
    has("platform", "ios"),
    has("ms_played", 0, 1_000, 5_000),
    has("track_name", "Name A", "I"),
]
is_a = has("track_uri", "spotify:track:a")


@given(records=RECORDS, rule=st.sampled_from(RULES), data=st.data())
def test_the_order_of_loads_and_a_deletion_does_not_change_rows(records, rule, data):
    whole = Table()
    whole.load(records)
    shuffled = data.draw(st.permutations(records))
    cut, deleted_after = (data.draw(st.integers(0, len(records))) for _ in range(2))
    table = NarrowTable()

    for number, record in enumerate(shuffled[:cut]):
        if number == deleted_after:
            table.delete(rule)
        table.load([record])
    table.delete(rule)
    table.load(shuffled[cut:])
    table.load(shuffled)

    whole.delete(rule)
    assert table.shown() == whole.shown()
    assert table.shown_count == table.outcomes["inserted"] + table.outcomes["regrouped"]


@given(records=RECORDS, rule=st.sampled_from(RULES), data=st.data())
def test_after_an_undo_the_rows_equal_those_without_any_deletion(records, rule, data):
    never = Table()
    never.load(records)
    table = NarrowTable(rule)
    for record in data.draw(st.permutations(records)):
        table.load([record])

    table.delete(None)

    assert table.shown() == never.shown()


@pytest.mark.parametrize(
    ("before", "records", "outcome"),
    [
        pytest.param([], [reported(0)], {"deleted": 1}, id="a new play"),
        pytest.param([], [reported(0), reported(9, "b")], {"deleted": 1, "inserted": 1}, id="one"),
        pytest.param([], [reported(0), exported(2)], {"deleted": 2}, id="both records of one"),
        pytest.param([reported(0)], [reported(0)], {"deleted": 1}, id="one kept out already"),
        pytest.param([reported(0)], [exported(2)], {"deleted": 1}, id="an upgrade of such a one"),
        pytest.param(
            [reported(9, "b")],
            [reported(9, "b")],
            {"duplicates": 1},
            id="a known one that is shown",
        ),
    ],
)
def test_each_record_that_a_deletion_keeps_out_counts_as_deleted(before, records, outcome):
    table = Table(is_a)
    table.load(before)

    counts = table.load(records)

    assert counts == Counter(outcome)


def test_a_row_is_deleted_if_a_later_record_makes_it_match_the_rule():
    table = Table(has("platform", "kids"))
    table.load([reported(0)])

    counts = table.load([exported(2, platform="kids")])

    assert (table.shown(), counts) == ([], Counter(deleted=1, regrouped=-1))


def test_a_deleted_row_is_restored_if_a_later_record_ends_its_match_with_the_rule():
    table = Table(has("artist_name", "Various"))
    table.load([exported(2, artist_name="Various")])

    counts = table.load([reported(0, artist_name="The Example")])

    assert table.shown_count == 1
    assert counts == Counter(upgraded=1, regrouped=1)
