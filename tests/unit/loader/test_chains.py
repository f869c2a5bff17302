"""Long chains of records, each near the next: their merge takes time in proportion to them."""

import time

import pytest

from services.loader.records import EXPORT
from tests.unit.loader.test_merge import NarrowTable, Table, a_play, exported, heard

RECORDS = 8_000
MOST_CPU_S = 5
"""It takes about a second; in time that grows with the square of the records, 12 s and more."""

CHAINS = {
    "export records 1 s apart": [exported(n) for n in range(RECORDS)],
    "the same, newest first": [exported(n) for n in range(RECORDS)][::-1],
    "skips 1 s apart": [exported(n, ms=0) for n in range(RECORDS)],
    "two tracks in turn": [exported(n // 2, "ab"[n % 2]) for n in range(RECORDS)],
    "tracks at one instant": [exported(0, f"{n}") for n in range(RECORDS)],
    "one track of many uris at one instant": [
        exported(0, f"{n}", track_name="Name") for n in range(RECORDS)
    ],
    "API records 90 s apart, export records between": [
        record for n in range(RECORDS // 2) for record in (heard(90 * n), exported(90 * n + 45))
    ],
    "export records 1 ms apart": [(EXPORT, a_play(n / 1_000, ms_played=n)) for n in range(RECORDS)],
    "a loop of 30 s that both know": [
        record for n in range(RECORDS // 2) for record in (heard(30 * n), exported(30 * n + 2))
    ],
}


@pytest.mark.parametrize("records", CHAINS.values(), ids=CHAINS)
def test_a_long_chain_is_merged_in_time_that_grows_with_its_length(records):
    table = Table()
    started_s = time.process_time()

    table.load(records[: RECORDS // 2])
    table.load(records[RECORDS // 2 :])
    table.load([exported(RECORDS // 4)])

    assert time.process_time() - started_s < MOST_CPU_S


STORED = {
    "rule 2": [exported(n) for n in range(400)],
    "rule 3": [record for n in range(200) for record in (heard(180 * n), exported(180 * n + 90))],
}


@pytest.mark.parametrize("records", STORED.values(), ids=STORED)
def test_both_ends_of_a_stored_chain_are_found_in_few_looks(records):
    table = NarrowTable()
    table.load(records)
    middle = records[len(records) // 2]
    table.looks = 0

    table.load([middle])

    assert table.looks <= 8
