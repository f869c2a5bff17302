from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.domain.gaps import STEP
from services.collector.domain.window import KNOWN_KEYS, Comparison, Key, Window, compare
from shared.models import Gap, Play
from shared.spotify.wire import RecentlyPlayed

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = START + timedelta(days=1)
GAP = Gap(started_at=START, reason="Spotify fails")


def at(minute: float, ms: float = 0) -> datetime:
    return START + timedelta(minutes=minute, milliseconds=ms)


@cache
def a_play(minute: float, track: str = "Boats", ms: float = 0) -> Play:
    return Play(
        track_uri=f"spotify:track:{track}",
        track_name=track,
        artist_name="The Example",
        played_at=at(minute, ms),
    )


def seen(window: Window, *plays: Play, full: bool = False, now=LATER, unreadable=()) -> Comparison:
    returned = 50 if full else len(plays)
    return compare(window, RecentlyPlayed(b"{}", plays, returned, unreadable), now)


def a_window(*plays: Play) -> Window:
    return seen(Window(), *plays).window


def test_plays_not_seen_in_earlier_polls_are_new():
    found = seen(a_window(a_play(1)), a_play(1), a_play(2), a_play(3))

    assert found.plays == (a_play(2), a_play(3))
    assert (found.report.new, found.report.late, found.report.moved) == (2, 0, 0)


def test_a_poll_without_new_plays_is_not_archived():
    found = seen(a_window(a_play(1)), a_play(1))

    assert (found.plays, found.is_worth_keeping) == ((), False)


def test_a_new_play_older_than_a_known_one_counts_as_late():
    found = seen(a_window(a_play(1), a_play(5)), a_play(1), a_play(3), a_play(5), a_play(6))

    assert found.plays == (a_play(3), a_play(6))
    assert (found.report.new, found.report.late) == (2, 1)


def test_different_tracks_at_the_same_time_are_different_plays():
    found = seen(a_window(a_play(1, "Boats")), a_play(1, "Boats"), a_play(1, "Anchors"))

    assert found.plays == (a_play(1, "Anchors"),)
    assert (found.report.new, found.report.moved) == (1, 0)


def test_a_play_repeated_within_one_poll_counts_once():
    found = seen(Window(), a_play(1), a_play(1))

    assert (found.plays, found.report.new, found.report.moved) == ((a_play(1),), 1, 0)


@pytest.mark.parametrize(
    ("shift_ms", "moved"), [(-999, 1), (-1, 1), (25, 1), (999, 1), (-1000, 0), (1000, 0)]
)
def test_a_known_play_shifted_by_under_a_second_counts_as_moved(shift_ms, moved):
    found = seen(a_window(a_play(1)), a_play(1, ms=shift_ms))

    assert (found.report.moved, found.report.new) == (moved, 1 - moved)
    assert found.plays == (a_play(1, ms=shift_ms),)
    assert found.is_worth_keeping


def test_the_second_of_two_copies_of_a_play_under_a_second_apart_counts_as_moved():
    found = seen(Window(), a_play(1), a_play(1, ms=29))

    assert (found.report.new, found.report.moved) == (1, 1)


def test_a_play_of_another_track_does_not_count_as_moved():
    found = seen(a_window(a_play(1, "Boats")), a_play(1, "Anchors", ms=25))

    assert (found.report.new, found.report.moved) == (1, 0)


def test_new_and_moved_plays_are_published_oldest_first():
    window = a_window(a_play(2))

    found = seen(window, a_play(1), a_play(2, ms=25), a_play(3))

    assert found.plays == (a_play(1), a_play(2, ms=25), a_play(3))


# Short answers


def test_plays_missing_from_a_poll_stay_known():
    before = a_window(a_play(1), a_play(2), a_play(3))
    shrunk = seen(before, a_play(3)).window

    found = seen(shrunk, a_play(1), a_play(2), a_play(3))

    assert found.plays == ()


def test_an_empty_poll_changes_no_known_plays():
    window = a_window(a_play(1))

    assert seen(window).window == window


def test_only_the_newest_200_known_plays_are_remembered():
    window = a_window(*map(a_play, range(KNOWN_KEYS)))

    known = seen(window, a_play(KNOWN_KEYS)).window.known

    assert len(known) == KNOWN_KEYS
    assert known[0] == Key(at(1), "spotify:track:Boats")
    assert known[-1] == Key(at(KNOWN_KEYS), "spotify:track:Boats")


def test_an_old_play_in_the_latest_poll_is_remembered_despite_the_limit_of_200():
    window = a_window(*map(a_play, range(KNOWN_KEYS)))

    after = seen(window, a_play(-1)).window

    assert seen(after, a_play(-1)).plays == ()


# Gaps


def gaps(*answers):
    """Poll once for each answer; return the start and end of each reported gap.

    An answer holds the minutes of its plays, and "full" if it had 50 rows.
    """
    window, found = Window(), []
    for answer in answers:
        plays = [a_play(minute) for minute in answer if minute != "full"]
        poll = seen(window, *plays, full="full" in answer)
        window = poll.window
        gap = poll.report.gap
        found.append(gap and (gap.started_at, gap.ended_at))
    return found


MOVED = 1 + 25 / 60_000
"""Minute 1, moved by 25 ms."""


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param([[60, "full"]], [None], id="the first answer"),
        pytest.param([[1], [1, 60, "full"]], [None, None], id="reaches the known play"),
        pytest.param([[1], [MOVED, 60, "full"]], [None, None], id="reaches it, moved"),
        pytest.param([[1], [0, 60, "full"]], [None, None], id="reaches further back"),
        pytest.param([[1], [60, 61, "full"]], [None, [1, 60]], id="falls short"),
        pytest.param([[1], [60, "full"], [60, 61, "full"]], [None, [1, 60], None], id="once"),
        pytest.param([[1], ["full"]], [None, None], id="full of other items"),
        pytest.param([[1], [], [60, "full"]], [None, None, [1, 60]], id="after an empty answer"),
        pytest.param(
            [[1], [70, 71], [22, 70, 71, "full"]], [None, None, [1, 22]], id="after a short answer"
        ),
        pytest.param(
            [[1], [70, 71], [1, 70, 71, "full"], [72, "full"]],
            [None, None, None, [71, 72]],
            id="a short answer is filled up",
        ),
        pytest.param([[1, 9], [1, 2], [9, "full"]], [None, None, None], id="after a late play"),
    ],
)
def test_a_poll_of_50_rows_without_a_known_play_opens_a_gap(answers, expected):
    assert gaps(*answers) == [minutes and tuple(map(at, minutes)) for minutes in expected]


def test_a_play_dated_in_the_future_does_not_hide_a_gap():
    ahead = a_play(60 * 24 * 365)
    window = a_window(a_play(1), ahead)

    found = seen(window, a_play(60), ahead, full=True)

    assert (found.report.gap.started_at, found.report.gap.ended_at) == (at(1), at(60))
    assert found.report.late == 0
    assert window.newest(LATER) == at(1)


def test_newest_returns_none_without_known_plays():
    assert Window().newest(LATER) is None


# Unreadable rows


def test_only_the_first_poll_with_an_unreadable_row_is_archived():
    first = seen(Window(), unreadable=("a",))
    again = seen(first.window, unreadable=("a",))
    other = seen(again.window, unreadable=("b", "a"))

    assert [found.is_worth_keeping for found in (first, again, other)] == [True, False, True]
    assert [found.report.unreadable for found in (first, again, other)] == [1, 1, 2]


def test_at_most_200_unreadable_rows_are_remembered():
    window = Window(unreadable=tuple(map(str, range(KNOWN_KEYS))))

    after = seen(window, unreadable=("new",)).window.unreadable

    assert len(after) == KNOWN_KEYS
    assert after[0] == "new"


# Properties


@st.composite
def answers(draw):
    """Generate the plays that each poll sees: the newest 50 or fewer."""
    happened: list[Play] = []
    polls = []
    for plays, shown in draw(
        st.lists(st.tuples(st.integers(0, 80), st.sampled_from([50, 50, 50, 7, 1, 0])), max_size=5)
    ):
        happened += [a_play(len(happened) + n, "ABC"[n % 3]) for n in range(plays)]
        polls.append(tuple(happened[max(0, len(happened) - shown) :]))
    return [*polls, tuple(happened[-50:])]


def poll_all(polls) -> list[Comparison]:
    found, window = [], Window()
    for shown in polls:
        found.append(seen(window, *shown, full=len(shown) == 50))
        window = found[-1].window
    return found


@given(answers())
def test_every_play_that_spotify_returns_is_published_once(polls):
    published = [play for found in poll_all(polls) for play in found.plays]

    assert set(published) == {play for shown in polls for play in shown}
    assert len(published) == len(set(published))


@given(st.lists(st.integers(0, 49), max_size=5))
def test_polls_at_most_50_plays_apart_find_no_gap(plays_between):
    happened = [a_play(minute) for minute in range(sum(plays_between))]
    ends = list(accumulate(plays_between))

    comparisons = poll_all([tuple(happened[max(0, end - 50) : end]) for end in ends])

    assert not any(found.report.gap for found in comparisons)


@given(answers())
def test_the_known_plays_are_unchanged_after_json_and_back(polls):
    window = poll_all(polls)[-1].window

    assert Window.model_validate_json(window.model_dump_json()) == window


@pytest.mark.parametrize("field", ["covered_until", "watched_since"])
def test_a_stored_coverage_end_in_the_far_future_is_reset_to_the_poll_time(field):
    damaged = Window.model_validate({field: "2999-12-31T23:59:59.999999Z"})

    found = compare(damaged, RecentlyPlayed(b"{}", (a_play(1),), 1), LATER, GAP)

    assert found.window.covered_until == LATER + STEP
    assert found.outage is None


def test_a_stored_coverage_end_one_minute_in_the_future_is_kept():
    ahead = Window(covered_until=LATER + timedelta(minutes=1))

    found = seen(ahead, a_play(1))

    assert found.window.covered_until == LATER + timedelta(minutes=1)
