"""Long chains of records, each near the next: the steps of a merge grow linearly."""

import sys
from datetime import timedelta

import pytest

from services.loader.domain.records import API, EXPORT
from tests.unit.loader.memory_table import NOON, NarrowTable, Table, a_play, exported, reported

# A merge that probes the same records again and again would hang.
pytestmark = pytest.mark.timeout(60)

MOMENT = timedelta(microseconds=100)
SHORT, LONG = 250, 1_000
MOST_GROWTH = 6
"""Four times the records take four times the steps; with quadratic growth they would take 16."""


def in_turn(count, one, other):
    """Return records of two kinds in turn."""
    return [record for n in range(count // 2) for record in (one(n), other(n))]


CHAINS = {
    "export records 1 s apart": lambda count: [exported(n) for n in range(count)],
    "the same, newest first": lambda count: [exported(n) for n in range(count)][::-1],
    "skips 1 s apart": lambda count: [exported(n, ms=0) for n in range(count)],
    "export records 0.1 ms apart": lambda count: [
        (EXPORT, a_play(ms_played=2_000 + n).model_copy(update={"played_at": NOON + n * MOMENT}))
        for n in range(count)
    ],
    "tracks at one instant": lambda count: [exported(0, f"{n}") for n in range(count)],
    "uris of one track at one instant": lambda count: [
        exported(0, f"{n}", track_name="Name") for n in range(count)
    ],
    "two tracks in turn": lambda count: in_turn(
        count, lambda n: exported(n, "a"), lambda n: exported(n, "b")
    ),
    "API records 90 s apart, export records between": lambda count: in_turn(
        count, lambda n: reported(90 * n), lambda n: exported(90 * n + 45)
    ),
    "both sources 0.1 ms apart": lambda count: in_turn(
        count,
        lambda n: (API, a_play().model_copy(update={"played_at": NOON + n * MOMENT})),
        lambda n: (
            EXPORT,
            a_play(ms_played=200_000).model_copy(update={"played_at": NOON + n * MOMENT}),
        ),
    ),
    "a loop of 30 s that both sources show": lambda count: in_turn(
        count, lambda n: reported(30 * n), lambda n: exported(30 * n + 2)
    ),
}


def steps(records):
    """Load a chain in two halves, then one of its records again; count the function calls."""
    table, half, count = Table(), len(records) // 2, 0

    def tally(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tally)
    try:
        for part in (records[:half], records[half:], records[half : half + 1]):
            table.load(part)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
def test_merging_takes_time_linear_in_the_number_of_close_plays(chain):
    assert steps(chain(LONG)) < MOST_GROWTH * steps(chain(SHORT))


STORED = {
    "rule 2": [exported(n) for n in range(400)],
    "rule 3": [
        record for n in range(200) for record in (reported(180 * n), exported(180 * n + 90))
    ],
}


@pytest.mark.parametrize("records", STORED.values(), ids=STORED)
def test_finding_both_ends_of_a_run_of_close_plays_takes_at_most_8_queries(records):
    table = NarrowTable()
    table.load(records)
    middle = records[len(records) // 2]
    table.looks = 0

    table.load([middle])

    assert table.looks <= 8
