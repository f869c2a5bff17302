"""Answers that Postgres does not know, after a restore or a loss of the collector's state."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest

from services.loader.ledger import ANSWERS_MISSING, STATE_LOST
from shared.archive import poll_key
from shared.models import Gap, OutageReport, PollReport
from tests.unit.loader.loader_examples import EXPORT, NOON, a_batch, a_play, features

GAPS = "SELECT started_at, ended_at, reason, closed_at IS NULL FROM gap ORDER BY started_at"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def polled(
    hour: float, *played: float, since: float, follows: float | None = None, gap: Gap | None = None
):
    """A poll whose plays ended at these hours; without `follows` the collector knew no answer."""
    report = PollReport(
        polled_at=at(hour), returned=50, new=len(played), late=0, moved=0, gap=gap,
        covers_from=at(since), is_first=follows is None,
        follows=None if follows is None else at(follows),
    )  # fmt: skip
    plays = [a_play(3_600 * played_at, f"t{played_at}") for played_at in played]
    return a_batch(*plays, origin=poll_key("me", at(hour)), report=report)


FIRST = polled(0, -2, -1, since=-2)
US = timedelta(microseconds=1)
"""These gaps start so much after the newest play."""


@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in one load"])
def test_a_poll_after_a_loss_of_the_collectors_state_opens_a_gap(load, rows, together):
    after = polled(5, 3, 4, since=3)

    load(FIRST, after) if together else (load(FIRST), load(after))

    start = NOON if together else at(-1)
    assert rows(GAPS) == [[start + US, at(3), STATE_LOST, True]]


@pytest.mark.parametrize("since", [-1, -2, -1 + 0.9 / 3600])
def test_a_poll_after_a_loss_of_state_opens_no_gap_if_it_overlaps_stored_plays(load, rows, since):
    load(FIRST)

    load(polled(5, 3, 4, since=since))

    assert rows(GAPS) == []


def test_the_first_poll_of_a_listener_opens_no_gap(load, rows):
    load(a_batch(a_play(), source=EXPORT, origin="history/me/a.zip?versionId=1"))

    load(polled(5, 3, 4, since=3))

    assert rows(GAPS) == []


def test_a_redelivered_poll_opens_no_gap(load, rows):
    load(FIRST)
    load(polled(1, 0.5, since=-1, follows=0))

    load(FIRST)

    assert rows(GAPS) == []


def test_the_gap_of_a_missing_poll_is_deleted_once_the_poll_arrives(load, rows):
    load(FIRST)

    load(polled(3, 2.5, since=1, follows=2))
    before = rows(GAPS)
    load(polled(2, 1, since=-1, follows=0))

    assert before == [[at(-1) + US, at(1), ANSWERS_MISSING, True]]
    assert rows(GAPS) == []


ANSWERS = {hour: polled(hour, hour - 0.5, since=max(-1, hour - 1.5), follows=hour - 1)
           for hour in range(1, 6)}  # fmt: skip
"""Each shows one play more than the one before it."""


def uncovered(gaps, arrived) -> list[int]:
    """Return the missing answers before a later one whose time lies in no single open gap."""
    spans = [(start, end) for start, end, _, is_open in gaps if is_open]
    return [
        hour
        for hour in range(1, max(arrived))
        if hour not in arrived
        and not any(start <= at(max(-1, hour - 1.5)) + US * len(ANSWERS) and at(hour - 0.5) <= end
                    for start, end in spans)
    ]  # fmt: skip


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
def test_a_gap_holds_a_missing_answer_until_it_arrives(owner, load, rows, missing):
    """In whatever order the others arrive; no gap is left once all are there."""
    for order in permutations(ANSWERS.keys() - {missing}):
        owner.run("TRUNCATE listening_history, poll, gap, loaded_batch CASCADE")
        load(FIRST)
        for count, hour in enumerate(order, start=1):
            load(ANSWERS[hour])
            assert uncovered(rows(GAPS), order[:count]) == [], (order, count)
        assert rows("SELECT DISTINCT awaits FROM gap") == [[poll_key("me", at(missing))]]

        load(ANSWERS[missing])

        assert rows(GAPS) == [], order


def test_two_polls_that_follow_one_missing_answer_open_one_gap(load, rows):
    load(FIRST)

    load(polled(3, since=1, follows=2))
    load(polled(3.5, since=1, follows=2))

    assert rows(GAPS) == [[at(-1) + US, at(1), ANSWERS_MISSING, True]]


def test_the_gap_of_missing_polls_does_not_count_as_covered(load, owner):
    load(FIRST)

    load(polled(10, 9.5, since=8, follows=9))

    ((known_s, open_s),) = owner.run(
        "SELECT known_s, open_gap_s FROM reporting.data_health WHERE day = '2026-11-01'"
    )
    # Known are the polls from noon to 22:00, without the gap from 11:00 to 20:00.
    assert (known_s, open_s) == (2 * 3_600, pytest.approx(9 * 3_600, abs=0.001))


@pytest.mark.parametrize("is_first", [True, False], ids=["reported before", "reported after"])
@pytest.mark.parametrize(
    ("gap", "stored"),
    [
        (Gap(started_at=at(-1), ended_at=at(0.5), reason="a full page"), [at(0.5), True]),
        (Gap(started_at=at(-1), ended_at=at(9), reason="shown", is_closed=True), [None, False]),
    ],
    ids=["open", "closed"],
)
def test_a_missing_answer_shares_no_gap_with_the_collector(load, rows, is_first, gap, stored):
    outage = a_batch(origin="outages/me/0", report=OutageReport(gap=gap))
    batches = [outage, polled(3, 2.5, since=1, follows=2)]
    load(FIRST)

    for batch in batches if is_first else reversed(batches):
        load(batch)
    both = rows(GAPS)
    load(polled(2, 1, since=-1, follows=0))

    end, is_open = stored
    of_collector = [at(-1), end, gap.reason, is_open]
    assert both == [of_collector, [at(-1) + US, at(1), ANSWERS_MISSING, True]]
    assert rows(GAPS) == [of_collector]


def test_a_gap_in_a_redelivered_poll_is_not_stored(load, rows):
    load(FIRST)
    gap = Gap(started_at=at(-1), ended_at=at(3), reason="a full page")

    load(polled(0, -2, -1, since=-2, gap=gap))

    assert rows(GAPS) == []


LEDGER = """
SELECT (SELECT count(*) FROM listening_history), sum(inserted + regrouped)::integer
FROM loaded_batch
"""


@pytest.mark.parametrize(
    "deletion",
    [
        "DELETE FROM listening_history WHERE played_at < '2026-11-01 10:30+00'",
        "DELETE FROM listening_history",
        "TRUNCATE listening_history, merged_record",
        "TRUNCATE listening_history, merged_record, loaded_batch, poll",
    ],
)
def test_loaded_batch_counts_match_the_rows_after_rows_are_deleted_and_reloaded(
    owner, load, rows, deletion
):
    load(FIRST)

    owner.run(deletion)
    ((deleted_rows, booked),) = rows(LEDGER)
    load(FIRST)

    assert deleted_rows == (booked or 0) < 2
    assert rows(LEDGER) == [[2, 2]]


def test_a_batch_reloaded_with_more_plays_adds_them_to_its_counts(load, rows):
    load(polled(0, -1, since=-1))

    load(FIRST)

    assert rows(LEDGER) == [[2, 2]]


def test_reloading_a_batch_restores_features_after_their_table_was_emptied(owner, load, rows):

    batch = a_batch(a_play(), features=(features(energy=0.5),))
    load(batch)

    owner.run("TRUNCATE track_features")
    load(batch)

    assert rows("SELECT energy FROM track_features") == [[0.5]]
