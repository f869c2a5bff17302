"""Gaps: what opens, ends and closes them."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.domain.gaps import (
    IN_SIGHT,
    MOST_OPEN_GAPS,
    REACHED_BACK,
    SHORT_ANSWERS,
    STAYED_SHORT,
    STEP,
    UNREADABLE,
    Since,
    cover,
)
from services.collector.domain.window import Window, compare
from services.collector.state import ListenerState
from shared.models import Gap, Play, iso
from shared.spotify.wire import HiddenRow, RecentlyPlayed

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def a_play(minute: int) -> Play:
    return Play(
        track_uri="spotify:track:Boats",
        track_name="Boats",
        artist_name="The Example",
        played_at=at(minute),
    )


def an_answer(*minutes: int, full: bool = False) -> RecentlyPlayed:
    return RecentlyPlayed(b"{}", tuple(map(a_play, minutes)), 50 if full else len(minutes))


SINCE = Since(at(1))
OUTAGE = Gap(started_at=at(1), reason="Spotify fails")


def test_a_poll_that_reaches_the_last_known_play_closes_the_gap():
    found = cover(SINCE, OUTAGE, an_answer(1, 2), at(60))

    assert found.gap == Gap(started_at=at(1), ended_at=at(60), reason=REACHED_BACK, is_closed=True)
    assert (found.until, found.outage) == (at(2), None)


def test_a_poll_of_50_rows_without_a_known_play_ends_the_open_gap_at_its_oldest_play():
    found = cover(SINCE, OUTAGE, an_answer(40, 59, full=True), at(60))

    assert (found.gap.started_at, found.gap.ended_at) == (at(1), at(40))
    assert not found.gap.is_closed
    assert "Spotify fails" in found.gap.reason
    assert (found.until, found.outage) == (at(59), None)


@pytest.mark.parametrize("minutes", [(), (40, 59)], ids=["empty", "short"])
def test_a_poll_of_fewer_than_50_rows_without_a_known_play_keeps_the_gap_open(minutes):
    found = cover(SINCE, OUTAGE, an_answer(*minutes), at(60))

    assert (found.gap, found.until, found.outage) == (None, at(1), OUTAGE)


def test_a_gap_that_follows_a_closed_one_has_a_later_start_time():
    closed = cover(SINCE, OUTAGE, an_answer(1), at(60))

    found = cover(Since(closed.until), None, an_answer(200, full=True), at(300))

    assert closed.gap.started_at < found.gap.started_at < at(1) + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("covered_until", "polled_at", "silence", "opened"),
    [
        pytest.param(at(0), at(5), IN_SIGHT, False, id="short"),
        pytest.param(at(0), at(5), IN_SIGHT + timedelta(seconds=1), True, id="long"),
        pytest.param(at(0), None, IN_SIGHT * 2, False, id="never polled"),
    ],
)
def test_polls_failing_for_more_than_25_minutes_open_a_gap(
    covered_until, polled_at, silence, opened
):
    state = ListenerState(window=Window(covered_until=covered_until), polled_at=polled_at)

    gap = state.find_outage(at(5) + silence, "Spotify fails")

    assert gap == (Gap(started_at=at(0), reason="Spotify fails") if opened else None)


# Permanently short answers


def an_account_shown(*shown: int, every: int) -> "Listening":
    """Poll an account that is shown few plays after two hours of listening."""
    listening = Listening()
    listening.listen(5, 5)
    listening.poll(43)
    listening.listen(120, 120)
    for plays in shown:
        listening.listen(every, every)
        listening.poll(plays)
    return listening


@pytest.mark.parametrize(
    ("shown", "every"),
    [((43, 43), 30), ((43, 43, 43), 12), ((43, 0, 0), 20)],
    ids=["too few", "too soon", "empty ones do not count"],
)
def test_polls_with_fewer_than_50_rows_open_no_gap_unless_three_span_25_minutes(shown, every):
    listening = an_account_shown(*shown, every=every)

    assert listening.reported == []
    assert listening.state.window.covered_until == at(5)


def test_three_polls_in_25_minutes_with_fewer_than_50_rows_and_no_known_play_open_a_gap():
    listening = an_account_shown(43, 43, 43, every=13)

    (gap,) = listening.reported
    assert (gap.started_at, gap.ended_at, gap.is_closed) == (at(5), at(164 - 42), False)
    assert gap.reason == STAYED_SHORT
    assert listening.state.window.covered_until == at(164)


def test_opening_a_gap_resets_the_count_of_polls_without_a_known_play():
    listening = an_account_shown(43, 43, 43, every=13)
    listening.listen(120, 120)

    listening.poll(43)

    assert len(listening.reported) == 1
    assert listening.state.window.short.count == 1


def test_a_poll_with_a_known_play_resets_the_count_of_polls_without_one():
    listening = an_account_shown(43, 43, 400, every=20)

    assert listening.reported == []
    assert listening.state.window.short is None


def test_a_poll_that_reaches_the_start_of_a_gap_closes_it():
    listening = an_account_shown(43, 43, 43, every=13)
    (gap,) = listening.reported

    listening.poll(43)
    still_open = listening.open_gaps()
    listening.poll(400)

    assert still_open == [gap]
    assert listening.open_gaps() == []
    assert listening.reported[1:] == [
        Gap(started_at=at(5), ended_at=at(164), reason=REACHED_BACK, is_closed=True)
    ]
    assert listening.state.window.doubtful == ()


def test_one_poll_closes_every_gap_whose_start_it_reaches():
    listening = an_account_shown(43, 43, 43, every=13)
    for _ in range(SHORT_ANSWERS):
        listening.listen(60, 60)
        listening.poll(43)
    two = listening.open_gaps()

    listening.poll(400)

    assert len(two) == 2
    assert listening.open_gaps() == []


def test_the_listener_state_keeps_only_the_latest_20_open_gaps():
    listening = an_account_shown(43, every=13)
    for _ in range((MOST_OPEN_GAPS + 2) * SHORT_ANSWERS):
        listening.listen(60, 60)
        listening.poll(43)

    gaps = listening.open_gaps()
    assert len(gaps) > MOST_OPEN_GAPS
    assert listening.state.window.doubtful == tuple(gaps[-MOST_OPEN_GAPS:])


# Unreadable rows


@pytest.mark.parametrize(
    ("since", "started_at"),
    [
        pytest.param(SINCE, at(1), id="known plays"),
        pytest.param(Since(None, at(5)), at(5), id="no play known"),
        pytest.param(Since(None), at(60), id="the first answer"),
    ],
)
def test_a_poll_without_any_readable_row_opens_a_gap(since, started_at):
    found = cover(
        since, None, RecentlyPlayed(b"{}", (), 1, ("a",), (HiddenRow("a", 0, None),)), at(60)
    )

    assert found.gap == found.outage == Gap(started_at=started_at, reason=UNREADABLE)
    assert found.until == since.covered_until


def test_polls_repeating_an_unreadable_newest_row_open_one_gap():
    listening = Listening()
    listening.listen(5, 5)
    listening.poll(50)
    listening.listen(2, 2)
    listening.poll(50, unreadable={7})
    listening.poll(50, unreadable={7})
    listening.listen(2, 2)
    listening.poll(50, unreadable={7})
    listening.poll(50, unreadable={7})

    opened, ended = listening.reported
    assert opened == Gap(started_at=at(5), reason=UNREADABLE)
    assert ended == Gap(started_at=at(5), ended_at=at(8), reason=UNREADABLE)


def test_the_gap_of_an_unreadable_row_closes_once_the_row_is_readable():
    listening = Listening()
    listening.listen(5, 5)
    listening.poll(50)
    listening.listen(5, 5)
    listening.poll(50, unreadable={7})
    opened = listening.open_gaps()

    listening.poll(50)

    assert opened == [Gap(started_at=at(5), ended_at=at(8), reason=UNREADABLE)]
    assert listening.open_gaps() == []
    assert a_play(7) in listening.published


@pytest.mark.parametrize("ends", [True, False], ids=["with its end", "without its end"])
def test_a_row_that_appears_late_and_unreadable_opens_one_gap_between_the_plays_around_it(ends):
    listening = Listening()
    listening.listen(9, 9)
    listening.poll(50, later={4, 5})
    listening.listen(5, 5)

    listening.poll(50, {4, 5}, ends=ends)
    listening.poll(50, {4, 5}, ends=ends)
    opened = list(listening.reported)
    listening.poll(50)

    (gap,) = opened
    assert (gap.started_at - STEP, gap.ended_at, gap.reason) == (at(3), at(6), UNREADABLE)
    assert listening.open_gaps() == []


def test_if_one_poll_finds_two_gaps_the_next_poll_reports_the_second():
    listening = Listening()
    listening.listen(9, 9)
    listening.poll(50, later={4})
    listening.listen(5, 5)

    listening.poll(50, {4, 12})
    listening.poll(50, {4, 12})
    listening.poll(50, {4, 12})

    gaps = [(gap.started_at, gap.ended_at) for gap in listening.reported]
    assert gaps == [(at(9), at(13)), (at(3) + STEP, at(5))]


def test_an_unreadable_row_older_than_the_first_poll_opens_no_gap():
    listening = Listening()
    listening.listen(9, 9)
    listening.poll(3)

    listening.poll(9, {2, 4}, ends=False)

    assert listening.reported == []


@pytest.mark.parametrize("minute", [3, 5, 10])
def test_a_known_play_that_becomes_unreadable_opens_no_gap(minute):
    listening = Listening()
    listening.listen(10, 10)
    listening.poll(50)

    listening.poll(50, {minute})

    assert listening.reported == []


# Before the first play


def test_a_poll_of_50_rows_after_an_empty_first_poll_opens_a_gap():
    listening = Listening()
    listening.poll(0)
    listening.listen(120, 120)

    listening.poll(50)

    (gap,) = listening.reported
    assert (gap.started_at, gap.ended_at, gap.is_closed) == (at(0), at(71), False)
    assert listening.state.window.watched_since is None


def test_a_failed_poll_before_the_first_play_opens_a_gap_that_the_next_poll_ends():
    listening = Listening()
    listening.poll(0)
    listening.listen(20, 0)
    listening.poll(0)
    listening.listen(60, 60)
    listening.poll_without_answer()

    listening.poll(50)

    opened, ended = listening.reported
    assert (opened.started_at, opened.ended_at) == (at(0), None)
    assert (ended.started_at, ended.ended_at, ended.is_closed) == (at(0), at(31), False)


def test_polls_that_show_every_play_of_a_new_listener_open_no_gap():
    listening = Listening()
    listening.poll(0)
    for _ in range(SHORT_ANSWERS + 1):
        listening.listen(20, 3)
        listening.poll(50)

    assert listening.reported == []


def test_a_single_poll_with_fewer_than_50_rows_after_an_empty_first_poll_opens_no_gap():
    listening = Listening()
    listening.poll(0)
    listening.listen(120, 120)
    listening.poll(7)
    undecided = listening.reported[:]

    listening.poll(50)

    assert undecided == []
    (gap,) = listening.reported
    assert (gap.started_at, gap.ended_at, gap.is_closed) == (at(0), at(71), False)


@pytest.mark.parametrize(("shown", "every"), [(43, 0), (7, 3)], ids=["many", "sliding"])
def test_three_polls_with_fewer_than_50_rows_that_omit_plays_open_a_gap_before_the_first_play(
    shown, every
):
    listening = Listening()
    listening.poll(0)
    listening.listen(120, 120)

    for _ in range(SHORT_ANSWERS):
        listening.listen(20, every)
        listening.poll(shown)

    (gap,) = listening.reported
    assert (gap.started_at, gap.reason, gap.is_closed) == (at(0), STAYED_SHORT, False)


def test_a_first_poll_of_50_rows_opens_no_gap():
    listening = Listening()
    listening.listen(120, 120)

    listening.poll(50)

    assert listening.reported == []


# Properties


@dataclass(repr=False)
class Listening:
    """A listener who sometimes plays one track a minute, and the gaps that polls report."""

    minute: int = 0
    played: list[Play] = field(default_factory=list)
    published: set[Play] = field(default_factory=set)
    reported: list[Gap] = field(default_factory=list)
    state: ListenerState = field(default_factory=ListenerState)

    def listen(self, minutes: int, plays: int) -> None:
        self.played += [a_play(self.minute + n) for n in range(1, min(minutes, plays) + 1)]
        self.minute += minutes

    def poll_without_answer(self) -> None:
        gap = self.state.find_outage(at(self.minute), "Spotify fails")
        if gap:
            self.reported.append(gap)
            self.state = self.state.with_outage(gap)

    def poll(
        self,
        shown: int,
        unreadable: AbstractSet[int] = frozenset(),
        *,
        later: AbstractSet[int] = frozenset(),
        ends: bool = True,
    ) -> None:
        """Poll. Plays that end in the minutes `unreadable` are unreadable, and without `ends` also
        their ends. Plays that end in the minutes `later` are not shown yet.
        """
        rows = [play for play in self.played if play.played_at not in set(map(at, later))]
        rows = rows[max(0, len(rows) - shown) :]
        hidden = [play for play in rows if play.played_at in set(map(at, unreadable))]
        plays = tuple(play for play in rows if play not in hidden)
        hidden_rows = tuple(
            HiddenRow(
                digest=iso(lost.played_at),
                newer=sum(play.played_at > lost.played_at for play in plays),
                played_at=lost.played_at if ends else None,
            )
            for lost in reversed(hidden)
        )
        digests = tuple(row.digest for row in hidden_rows)
        answer = RecentlyPlayed(b"{}", plays, len(rows), digests, hidden_rows)
        now = at(self.minute)
        found = compare(self.state.window, answer, now, self.state.outage)
        self.reported += [*found.report.closed, *filter(None, [found.report.gap])]
        self.published.update(found.plays)
        self.state = ListenerState(window=found.window, polled_at=now, outage=found.outage)

    def open_gaps(self) -> list[Gap]:
        """Merge the reports as the loader does, in any order."""
        closed = {gap.started_at for gap in self.reported if gap.is_closed}
        return [gap for gap in self.reported if gap.ended_at and gap.started_at not in closed]


@st.composite
def histories(draw):
    listening = Listening()
    listening.listen(5, 5)
    # Some accounts are never shown 50 plays.
    most = draw(st.sampled_from([50, 43]))
    silent_first = draw(st.booleans())
    listening.poll(0 if silent_first else most)
    steps = st.tuples(
        st.integers(1, 120),
        st.sampled_from([0, 0, 10, 60, 120]),
        # 7 plays after a silence look like those of a new listener.
        st.sampled_from([None, None, most, most, most if silent_first else 7, 0]),
    )
    for minutes, plays, shown in draw(st.lists(steps, max_size=12)):
        listening.listen(minutes, plays)
        listening.poll_without_answer() if shown is None else listening.poll(shown)
    for _ in range(SHORT_ANSWERS + 1):
        listening.listen(13, 1)
        listening.poll(most)
    return listening


@st.composite
def histories_with_unreadable_plays(draw):
    """Listen and poll often, while some plays are unreadable or appear late."""
    listening = Listening()
    never, late = (draw(st.sets(st.integers(1, 60), max_size=8)) for _ in range(2))
    for _ in range(draw(st.integers(1, 6))):
        listening.listen(10, 10)
        listening.poll(50, never, later={each for each in late if each > listening.minute - 10})
    listening.listen(2, 2)
    readable = never - {listening.minute, listening.minute - 1}
    listening.poll(50, readable)
    listening.poll(50, readable)
    return listening


@given(histories_with_unreadable_plays())
def test_every_unreadable_play_is_within_an_open_gap(listening):
    gaps = listening.open_gaps()
    lost = [play for play in listening.played if play not in listening.published]

    assert all(
        any(gap.started_at <= play.played_at < gap.ended_at for gap in gaps)
        for play in lost
        if play.played_at > at(10)
    )
    assert listening.state.outage is None


@given(histories_with_unreadable_plays())
def test_gaps_of_unreadable_plays_close_once_they_are_readable(listening):
    listening.poll(100)

    assert listening.open_gaps() == []


@given(histories())
def test_every_missed_play_is_within_an_open_gap(listening):
    watched = [play for play in listening.played if play.played_at > at(5)]
    missed = [play for play in watched if play not in listening.published]

    gaps = listening.open_gaps()

    assert all(any(g.started_at < p.played_at < g.ended_at for g in gaps) for p in missed)


@given(histories())
def test_every_opened_gap_later_gets_an_end(listening):
    ended = {gap.started_at for gap in listening.reported if gap.ended_at}

    assert listening.state.outage is None
    assert {gap.started_at for gap in listening.reported} == ended


@given(histories())
def test_each_gap_is_reported_as_ended_and_as_closed_at_most_once(listening):
    ends = [(gap.started_at, gap.is_closed) for gap in listening.reported if gap.ended_at]
    latest = {gap.started_at: gap for gap in listening.reported}

    assert len(ends) == len(set(ends))
    assert all(latest[gap.started_at].is_closed for gap in listening.reported if gap.is_closed)
