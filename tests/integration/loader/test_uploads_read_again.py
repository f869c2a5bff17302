"""Uploads that are read in another way: by another release, or for a listener added later."""

from datetime import timedelta
from itertools import permutations

import pytest

from services.loader.refresh import refresh_after_load
from shared.models import FileProblem, Gap, OutageReport, Span, UploadReport
from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, a_play, plays_apart

ORIGIN = "history/anna/a.zip?versionId=1"
LEDGER = """
SELECT listener, count(*), (SELECT sum(inserted + regrouped)::integer FROM loaded_batch b
                            WHERE b.listener = h.listener)
FROM listening_history h
GROUP BY listener
"""
RESULT = """
SELECT is_complete, published, inserted + upgraded + duplicates FROM reporting.import_result
"""
STORED = """
SELECT (SELECT jsonb_agg(b ORDER BY number) FROM loaded_batch b),
       (SELECT jsonb_agg(r) FROM import_report r)
"""
SPAN = Span(started_at=NOON, ended_at=NOON + timedelta(days=1))


def reading(*sizes: int, listener: str = "anna", **fields):
    """The batches of one reading of the upload: how many plays each of them has."""
    plays = plays_apart(sum(sizes))
    batches = [
        a_batch(*plays[sum(sizes[:number]) :][:size], source=EXPORT, origin=ORIGIN, number=number,
                listener=listener)
        for number, size in enumerate(sizes)
    ]  # fmt: skip
    report = UploadReport(
        **{"rows_in": 10, "published": len(plays), "batches": len(sizes), "spans": (SPAN,)} | fields
    )
    return [*batches[:-1], batches[-1].model_copy(update={"report": report})]


REFUSAL = reading(
    0, listener="me", rows_in=0, spans=(), problems=(FileProblem(file="a.zip", reason="refused"),)
)


@pytest.fixture
def rows(owner):
    """Return all rows of a query; the loader may not read the reporting views."""
    return owner.run


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((3, 3, 2), (3, 3, 3, 1)),
        ((3, 3), (3, 3, 0)),
        ((4, 4), (2, 2, 2, 2)),
        ((2, 2, 2, 2), (4, 4)),
        ((3, 3, 2), (8,)),
        ((3, 3, 2), (3, 1)),
        ((3, 3, 2), (3, 3, 1)),
        ((3, 3, 2), (4, 4, 0)),
    ],
    ids=str,
)
def test_another_number_of_batches_replaces_the_report_and_adds_up(
    owner, load, rows, before, after
):
    for order in permutations(reading(*after)):
        owner.run("TRUNCATE listening_history, gap, loaded_batch, import_report CASCADE")
        load(*reading(*before))

        for batch in order:
            load(batch)

        assert rows(RESULT) == [[True, sum(after), sum(after)]], order
        stored_plays = max(sum(before), sum(after))
        assert rows(LEDGER) == [["anna", stored_plays, stored_plays]], order
        stored = rows(STORED)
        load(*order)
        assert rows(STORED) == stored, order


@pytest.mark.parametrize("after", [(3, 3, 3, 1), (8,)], ids=["more", "fewer"])
def test_an_upload_that_was_read_again_closes_gaps(load, rows, after):
    load(*reading(3, 3, 2))
    load(*reading(*after))
    gap = Gap(started_at=NOON, ended_at=NOON + timedelta(hours=5), reason="no answer")

    load(a_batch(listener="anna", origin="outages/anna/1", report=OutageReport(gap=gap)))

    assert rows("SELECT closed_by FROM gap") == [[ORIGIN]]


def test_a_batch_of_an_earlier_reading_stands_in_for_no_missing_one(load, rows):
    _, *rest = reading(2, 2, 2)
    load(*rest)

    load(reading(3, 3)[-1])

    assert rows(RESULT)[0][0] is False
    assert rows("SELECT DISTINCT known_s FROM reporting.data_health") == [[0.0]]
    assert rows("SELECT isempty(known) FROM derived.known") == [[True]]


@pytest.mark.parametrize("after", [(3, 3, 3, 1), (8,)], ids=["more", "fewer"])
@pytest.mark.parametrize(
    "loaded", [reading(8), [a_batch(a_play())]], ids=["its own batch", "a poll"]
)
def test_an_upload_that_was_read_again_holds_up_no_refresh(database, load, after, loaded):
    load(*reading(3, 3, 2))
    load(*reading(*after))

    assert refresh_after_load(database, loaded, most_s=10) == 0


def test_two_readings_in_one_load_add_up(load, rows):
    load(*reading(2, 1), *reading(2, 3))

    assert rows(LEDGER) == [["anna", 5, 5]]


@pytest.mark.parametrize("is_together", [True, False], ids=["in one load", "one by one"])
@pytest.mark.parametrize("order", [1, -1], ids=["refused first", "refused later"])
def test_a_refusal_leaves_no_trace_on_an_upload_that_was_read(load, rows, is_together, order):
    batches = [*REFUSAL, *reading(3, 2)][::order]

    load(*batches) if is_together else [load(batch) for batch in batches]

    assert rows(LEDGER) == [["anna", 5, 5]]
    assert rows(RESULT) == [[True, 5, 5]]
    assert rows("SELECT DISTINCT listener FROM loaded_batch") == [["anna"]]
    assert rows("SELECT listener, batches, problems FROM import_report") == [["anna", 2, []]]


def test_a_reading_in_part_does_not_replace_the_report_of_a_whole_one(load, rows):
    load(*reading(3, 3))

    load(*reading(3, 1, rows_in=4, spans=()))

    assert rows("SELECT rows_in, published FROM import_report") == [[10, 6]]
    assert rows(LEDGER) == [["anna", 6, 6]]
