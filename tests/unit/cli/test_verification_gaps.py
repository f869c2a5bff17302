from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from cli.archive_reader import Poll
from cli.statements import STATEMENTS
from cli.verification.gaps import Watched, compare_gaps, seen
from services.collector.domain.gaps import REACHED_BACK
from services.collector.domain.replay import open_gaps, replay
from shared.models import Gap, iso
from shared.queries import Reader
from shared.spotify.wire import read_recently_played
from tests.fakes.spotify import a_page, a_row

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LAST = NOON - timedelta(minutes=1)
"""The end of the last play before the gap of each test."""
UNREADABLE = {"played_at": iso(NOON + timedelta(minutes=30)), "track": {"type": "new"}}


class StoredGaps:
    """Postgres with some gaps, which knows every answer."""

    def __init__(self, *gaps):
        self.gaps = gaps

    def run(self, statement, **values):
        if statement == STATEMENTS["verify_gaps"]:
            return [list(gap) for gap in self.gaps]
        return [[origin] for origin in values["origins"].split(",")]


def after(minutes):
    return NOON + timedelta(minutes=minutes)


def answer(minutes, *rows):
    """An answer so many minutes after noon; a row is an instant, or what Spotify shows."""
    shown = [a_row(iso(row), name=f"t{n}") if isinstance(row, datetime) else row
             for n, row in enumerate(rows)]  # fmt: skip
    return after(minutes), read_recently_played(a_page(*shown).body)


def a_full_answer(minutes, oldest, step):
    return answer(minutes, *(oldest + n * step for n in reversed(range(50))))


def replayed(*answers):
    return [seen(Poll(f"polls/me/{number}", found)) for number, found in enumerate(replay(answers))]


def a_gap(start, end=None):
    return start, start, end, True, None


def compare(stored, *answers):
    shown = replayed(*answers)
    watched = Watched(shown[0].polled_at, shown[-1].polled_at, [])
    database = cast("Reader", StoredGaps(*stored))
    return compare_gaps(database, "me", shown, watched)


BEFORE = answer(0, LAST, LAST - timedelta(minutes=4))


@pytest.mark.parametrize("moved", [timedelta(), timedelta(milliseconds=1)])
def test_the_gap_of_an_outage_that_lasts_is_not_closable(moved):
    found = compare([a_gap(LAST + moved)], BEFORE)

    assert (found.closable, found.missing) == ([], [])


def test_a_gap_is_closable_up_to_the_answer_that_reached_back():
    found = compare([a_gap(LAST)], BEFORE, answer(60, after(50), LAST), answer(90, after(80)))

    assert found.closable == [
        Gap(started_at=LAST, ended_at=after(60), reason=REACHED_BACK, is_closed=True)
    ]


def test_a_gap_is_not_closable_after_an_answer_that_did_not_reach_back():
    found = compare([a_gap(LAST)], BEFORE, a_full_answer(200, after(60), timedelta(minutes=2)))

    assert (found.closable, found.missing) == ([], [])


@pytest.mark.parametrize("stored", [[], [a_gap(LAST)]])
def test_the_gap_of_an_unreadable_answer_is_open_until_an_answer_is_readable(stored):
    found = compare(stored, BEFORE, answer(40, UNREADABLE))

    assert found.closable == []
    assert [gap.started_at for gap in found.missing] == ([] if stored else [LAST])


# Spotify shows 50 of many short plays.
BURST = a_full_answer(10, after(1), timedelta(milliseconds=20))
SHORT = answer(1, after(1) - timedelta(seconds=1.5))


def test_a_gap_of_less_than_two_seconds_is_expected():
    (gap,) = open_gaps(gap for each in replayed(SHORT, BURST) for gap in each.gaps)
    stored = a_gap(gap.started_at, gap.ended_at)

    found = compare([stored], SHORT, BURST)

    assert gap.ended_at
    assert gap.ended_at - gap.started_at < timedelta(seconds=2)
    assert (found.closable, found.missing) == ([], [])


@pytest.mark.parametrize(
    "stored", [[], [a_gap(after(-5), after(1) - timedelta(seconds=1.6))]], ids=["none", "near"]
)
def test_a_gap_of_less_than_two_seconds_is_missing_if_no_other_holds_it(stored):
    found = compare(stored, SHORT, BURST)

    assert [gap.ended_at for gap in found.missing] == [after(1)]
