from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.domain.window import KNOWN_KEYS, Comparison, Key, Window, compare
from shared.models import Gap, Play
from shared.spotify.wire import RecentlyPlayed

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
LATER = START + timedelta(days=1)


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


def test_unknown_plays_are_new():
    found = seen(a_window(a_play(1)), a_play(1), a_play(2), a_play(3))

    assert found.plays == (a_play(2), a_play(3))
    assert (found.report.new, found.report.late, found.report.moved) == (2, 0, 0)


def test_an_answer_without_new_plays_is_not_archived():
    found = seen(a_window(a_play(1)), a_play(1))

    assert (found.plays, found.is_worth_keeping) == ((), False)


def test_a_new_play_older_than_a_known_one_is_late():
    found = seen(a_window(a_play(1), a_play(5)), a_play(1), a_play(3), a_play(5), a_play(6))

    assert found.plays == (a_play(3), a_play(6))
    assert (found.report.new, found.report.late) == (2, 1)


def test_other_tracks_at_one_instant_are_other_plays():
    found = seen(a_window(a_play(1, "Boats")), a_play(1, "Boats"), a_play(1, "Anchors"))

    assert found.plays == (a_play(1, "Anchors"),)
    assert (found.report.new, found.report.moved) == (1, 0)


def test_a_repeated_key_in_one_answer_is_one_play():
    found = seen(Window(), a_play(1), a_play(1))

    assert (found.plays, found.report.new, found.report.moved) == ((a_play(1),), 1, 0)


@pytest.mark.parametrize(
    ("shift_ms", "moved"), [(-999, 1), (-1, 1), (25, 1), (999, 1), (-1000, 0), (1000, 0)]
)
def test_a_known_play_within_a_second_is_moved(shift_ms, moved):
    found = seen(a_window(a_play(1)), a_play(1, ms=shift_ms))

    assert (found.report.moved, found.report.new) == (moved, 1 - moved)
    assert found.plays == (a_play(1, ms=shift_ms),)
    assert found.is_worth_keeping


def test_an_answer_may_hold_a_play_and_its_moved_copy():
    found = seen(Window(), a_play(1), a_play(1, ms=29))

    assert (found.report.new, found.report.moved) == (1, 1)


def test_a_play_of_another_track_is_not_moved():
    found = seen(a_window(a_play(1, "Boats")), a_play(1, "Anchors", ms=25))

    assert (found.report.new, found.report.moved) == (1, 0)


def test_new_and_moved_plays_stand_oldest_first():
    window = a_window(a_play(2))

    found = seen(window, a_play(1), a_play(2, ms=25), a_play(3))

    assert found.plays == (a_play(1), a_play(2, ms=25), a_play(3))


# Short answers


def test_plays_missing_in_an_answer_stay_known():
    before = a_window(a_play(1), a_play(2), a_play(3))
    shrunk = seen(before, a_play(3)).window

    found = seen(shrunk, a_play(1), a_play(2), a_play(3))

    assert found.plays == ()


def test_an_empty_answer_changes_nothing():
    window = a_window(a_play(1))

    assert seen(window).window == window


def test_the_newest_keys_are_kept():
    window = a_window(*map(a_play, range(KNOWN_KEYS)))

    known = seen(window, a_play(KNOWN_KEYS)).window.known

    assert len(known) == KNOWN_KEYS
    assert known[0] == Key(at(1), "spotify:track:Boats")
    assert known[-1] == Key(at(KNOWN_KEYS), "spotify:track:Boats")


def test_all_keys_of_an_answer_are_kept():
    window = a_window(*map(a_play, range(KNOWN_KEYS)))

    after = seen(window, a_play(-1)).window

    assert seen(after, a_play(-1)).plays == ()


# Gaps


def test_a_full_answer_that_falls_short_opens_a_gap():
    found = seen(a_window(a_play(1)), a_play(60), a_play(61), full=True)

    assert found.report.gap == Gap(
        started_at=at(1), ended_at=at(60), reason=found.report.gap.reason
    )


def test_a_gap_is_reported_once():
    after = seen(a_window(a_play(1)), a_play(60), full=True).window

    assert seen(after, a_play(60), a_play(61), full=True).report.gap is None


@pytest.mark.parametrize(
    ("known", "oldest"),
    [
        pytest.param(a_play(1), a_play(1), id="with one play known"),
        pytest.param(a_play(1), a_play(1, ms=25), id="with one play moved"),
        pytest.param(a_play(1), a_play(0), id="with a play before"),
    ],
)
def test_a_full_answer_that_reaches_back_opens_no_gap(known, oldest):
    assert seen(a_window(known), oldest, a_play(60), full=True).report.gap is None


def test_the_first_answer_opens_no_gap():
    assert seen(Window(), a_play(60), full=True).report.gap is None


def test_an_answer_full_of_other_items_opens_no_gap():
    window = a_window(a_play(1))

    found = seen(window, full=True)

    assert (found.report.gap, found.window.covered_until) == (None, at(1))


def test_a_short_answer_does_not_hide_an_earlier_gap():
    before = a_window(a_play(1))
    shrunk = seen(before, a_play(70), a_play(71))

    found = seen(shrunk.window, *map(a_play, range(22, 72)), full=True)

    assert shrunk.report.gap is None
    assert (found.report.gap.started_at, found.report.gap.ended_at) == (at(1), at(22))


def test_a_short_answer_that_reaches_back_opens_no_gap():
    shrunk = seen(a_window(a_play(1)), a_play(70), a_play(71)).window

    found = seen(shrunk, a_play(1), a_play(70), a_play(71), a_play(72), full=True)

    assert (found.report.gap, found.window.covered_until) == (None, at(72))


def test_a_late_play_does_not_reduce_coverage():
    window = seen(a_window(a_play(1), a_play(9)), a_play(1), a_play(2)).window

    assert window.covered_until == at(9)


def test_a_play_in_the_future_hides_no_gap():
    ahead = a_play(60 * 24 * 365)
    window = a_window(a_play(1), ahead)

    found = seen(window, a_play(60), ahead, full=True)

    assert (found.report.gap.started_at, found.report.gap.ended_at) == (at(1), at(60))
    assert found.report.late == 0
    assert window.newest(LATER) == at(1)


def test_a_window_without_plays_has_no_newest():
    assert Window().newest(LATER) is None


# Unreadable rows


def test_an_answer_with_a_new_unreadable_row_is_archived_once():
    first = seen(Window(), unreadable=("a",))
    again = seen(first.window, unreadable=("a",))
    other = seen(again.window, unreadable=("b", "a"))

    assert [found.is_worth_keeping for found in (first, again, other)] == [True, False, True]
    assert [found.report.unreadable for found in (first, again, other)] == [1, 1, 2]


def test_the_number_of_kept_digests_is_limited():
    window = Window(unreadable=tuple(map(str, range(KNOWN_KEYS))))

    after = seen(window, unreadable=("new",)).window.unreadable

    assert len(after) == KNOWN_KEYS
    assert after[0] == "new"


# Properties


@st.composite
def answers(draw):
    """Generate plays, and the newest plays or fewer that each poll sees."""
    happened: list[Play] = []
    polls = []
    for plays, shown in draw(
        st.lists(st.tuples(st.integers(0, 80), st.sampled_from([50, 50, 50, 7, 1, 0])), max_size=5)
    ):
        happened += [a_play(len(happened) + n, "ABC"[n % 3]) for n in range(plays)]
        polls.append((tuple(happened[max(0, len(happened) - shown) :]), happened.copy()))
    polls.append((tuple(happened[-50:]), happened.copy()))
    return polls


def poll_all(polls) -> list[Comparison]:
    found, window = [], Window()
    for shown, _ in polls:
        found.append(seen(window, *shown, full=len(shown) == 50))
        window = found[-1].window
    return found


@given(answers())
def test_every_shown_play_is_published_once(polls):
    published = [play for found in poll_all(polls) for play in found.plays]

    assert set(published) == {play for shown, _ in polls for play in shown}
    assert len(published) == len(set(published))


@given(answers())
def test_every_missed_play_lies_in_a_gap(polls):
    comparisons = poll_all(polls)
    published = {play for found in comparisons for play in found.plays}
    gaps = [found.report.gap for found in comparisons if found.report.gap]
    started_at = next(filter(None, (f.window.covered_until for f in comparisons)), LATER)

    missed = [p for p in polls[-1][1] if p not in published and p.played_at > started_at]

    assert all(any(g.started_at < p.played_at < g.ended_at for g in gaps) for p in missed)
    assert all(
        before.ended_at and before.ended_at <= after.started_at for before, after in pairwise(gaps)
    )


@given(st.lists(st.integers(0, 49), max_size=5))
def test_frequent_polls_find_no_gap(plays_between):
    happened = [a_play(minute) for minute in range(sum(plays_between))]
    ends = list(accumulate(plays_between))

    comparisons = poll_all([(tuple(happened[max(0, end - 50) : end]), ()) for end in ends])

    assert not any(found.report.gap for found in comparisons)


@given(answers(), st.data())
def test_a_repeated_answer_adds_nothing(polls, data):
    found = data.draw(st.sampled_from(poll_all(polls)))

    again = seen(found.window, *found.plays)

    assert (again.plays, again.is_worth_keeping) == ((), False)


@given(answers())
def test_a_window_survives_a_round_trip_through_json(polls):
    window = poll_all(polls)[-1].window

    assert Window.model_validate_json(window.model_dump_json()) == window
