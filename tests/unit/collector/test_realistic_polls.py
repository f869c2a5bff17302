"""Realistic polls: late, moved, doubled and missing plays, short answers, and crashes.

Each kind was seen in 48,310 real polls; here they are more frequent.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.collector.poll import Outcome
from services.loader.domain.merge import merge
from services.loader.domain.records import API, Record
from shared.errors import SpotifyError
from shared.models import Play, iso
from tests.fakes.aws import CrashError
from tests.fakes.spotify import PLAYED, TOKEN, Reply, a_page, a_row
from tests.unit.collector.capture import START, Capture

ON_A_BUSY_MACHINE = settings(suppress_health_check=[HealthCheck.too_slow])

STEPS = 10
"""The calls of one poll to AWS and Spotify."""

LONGEST_MOVE_MS = 968
"""The same play was seen again 11 to 968 ms later."""


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@dataclass(frozen=True)
class Played:
    """A real play, and the number of polls by which Spotify shows it late."""

    ended_at: datetime
    track: str
    late: int

    def row(self, moved_ms: int) -> object:
        played_at = iso(self.ended_at + timedelta(milliseconds=moved_ms))
        return a_row(played_at, name=self.track, external_ids={"isrc": self.track})

    def matches(self, play: Play) -> bool:
        moved = play.played_at - self.ended_at
        return play.track_name == self.track and (
            timedelta(0) <= moved <= timedelta(milliseconds=LONGEST_MOVE_MS)
        )


Shown = list[tuple[Played, int]]
"""Plays, and the ms by which Spotify moves their ends."""


@dataclass(frozen=True)
class Poll:
    """What Spotify shows, newest first, and where the poll crashes."""

    at: datetime
    shown: Shown
    crash: tuple[int | str, str] | None = None
    is_survived: bool = False
    """True if only a call failed and the container survives."""
    refusal: dict[str, list[Reply]] = field(default_factory=dict)
    """The refusals of an endpoint of the fake, by its name."""


def a_history(random: Random, plays: int) -> list[Played]:
    """Generate a listening history; some tracks end at one instant."""
    played, ended_at = [], START
    for number in range(plays):
        seconds = random.choice([30, 31, 200, 0])
        ended_at += timedelta(seconds=seconds, milliseconds=random.choice([0, 1, 999]))
        # The same track within a second would be the same play.
        track = random.choice("ABC") if seconds else f"Same{number}"
        played.append(Played(ended_at, track, late=random.choice([0, 0, 0, 0, 0, 1, 3])))
    return played


def whole(plays: list[Played], _: Random) -> Shown:
    return [(play, 0) for play in plays]


def moved_alike(plays: list[Played], _: Random) -> Shown:
    return [(play, 25) for play in plays]


def moved(plays: list[Played], random: Random) -> Shown:
    return [(play, random.choice([0, 0, 11, LONGEST_MOVE_MS])) for play in plays]


def doubled(plays: list[Played], random: Random) -> Shown:
    return [(play, ms) for play in plays for ms in random.choice([(0,), (29, 0), (500, 500)])]


def vanished(plays: list[Played], random: Random) -> Shown:
    return [(play, 0) for play in plays if random.random() < 0.7]


def shrunken(plays: list[Played], random: Random) -> Shown:
    return [(play, 0) for play in plays[: random.randint(0, 7)]]


WAYS = [whole, moved_alike, moved, doubled, vanished, shrunken]


def newest(played: list[Played], number: int) -> list[Played]:
    """Return the plays that a poll sees, without late ones."""
    visible = [play for play in played if play.late <= number]
    return sorted(visible, key=lambda play: play.ended_at, reverse=True)[:50]


REFUSALS = [
    {"pages": [Reply(b"", 429, {"Retry-After": "5"})]},
    {"pages": [Reply(b"", 429, {"Retry-After": "4000"})]},
    {"tokens": [Reply(b"", 429, {"Retry-After": "5"})]},
    {"tokens": [Reply(b"", 429, {"Retry-After": "4000"})]},
    {"pages": [Reply(b"", 429)]},
    {"pages": [Reply(b"", 503)]},
    {"pages": [Reply(b"", 403)]},
    {"tokens": [Reply(b"", 500)]},
    {"tokens": [Reply(b'{"error": "invalid_grant"}', 400)]},
]
ANSWERS: st.SearchStrategy[Any] = st.just({}) | st.just({}) | st.sampled_from(REFUSALS)
CRASHES = st.none() | st.tuples(st.integers(0, STEPS - 1), st.sampled_from(["before", "after"]))


@st.composite
def series(draw):
    """Generate a history and its polls from a seed."""
    random = draw(st.randoms(use_true_random=True))
    steps = draw(
        st.lists(
            st.tuples(st.integers(0, 45), st.sampled_from(WAYS), CRASHES, st.booleans(), ANSWERS),
            min_size=1,
        )
    )
    played, polls = a_history(random, sum(step[0] for step in steps)), []
    for number, (_, way, crash_at, is_survived, refusal) in enumerate(steps):
        happened = played[: sum(step[0] for step in steps[: number + 1])]
        ended_at = max((play.ended_at for play in happened), default=START)
        shown = way(newest(happened, number), random)[:50]
        # A crash between a refusal and its write forgets the refusal.
        crash = None if refusal else crash_at
        polls.append(Poll(ended_at + timedelta(minutes=9), shown, crash, is_survived, refusal))
    return polls


def poll_or_fail(capture: Capture, crash: tuple[int | str, str] | None) -> Outcome | None:
    """Poll; None if the poll crashed or Spotify failed."""
    try:
        return capture.poll(crash=crash)
    except (CrashError, SpotifyError):
        return None


@dataclass
class Run:
    """A capture, and the plays of its answered polls."""

    capture: Capture = field(default_factory=Capture)
    shown: set[Played] = field(default_factory=set)

    def poll(self, poll: Poll) -> None:
        """Poll. Repeat a failed poll, in a new container if the process died."""
        capture, spotify = self.capture, self.capture.spotify
        capture.now = max(capture.now + timedelta(minutes=1), poll.at)
        page = a_page(*[play.row(moved_ms) for play, moved_ms in poll.shown])
        spotify.pages = [page]
        vars(spotify).update(poll.refusal)
        outcome = poll_or_fail(capture, poll.crash)
        spotify.pages, spotify.tokens = [page], [spotify.trade]
        if outcome is None:
            if not poll.is_survived:
                capture.restart()
            capture.pass_time(minutes=1)
            outcome = capture.poll()
        if outcome.status == "polled":
            self.shown.update(play for play, _ in poll.shown)


def run_polls(polls: list[Poll]) -> Run:
    run = Run()
    for poll in polls:
        run.poll(poll)
    return run


def rows_of(plays: list[Play]) -> list[Play]:
    """Merge plays into rows as the loader does."""
    records = [Record(API, play, batch=number) for number, play in enumerate(plays)]
    return [row.api.play for row in merge(records, lambda *_: []).rows]


@settings(ON_A_BUSY_MACHINE, max_examples=60)
@given(series())
def test_every_play_that_spotify_returns_becomes_one_row(polls):
    run = run_polls(polls)

    rows = rows_of(run.capture.published())
    assert len(rows) == len(run.shown)
    assert all(any(play.matches(row) for row in rows) for play in run.shown)


@settings(ON_A_BUSY_MACHINE, max_examples=20)
@given(series())
def test_published_plays_are_archived_under_their_origin(polls):
    capture = run_polls(polls).capture

    origins = {batch.origin for batch in capture.batches() if batch.plays}

    assert origins <= capture.aws.objects.keys()


@settings(ON_A_BUSY_MACHINE, max_examples=60)
@given(series())
def test_no_token_is_used_before_it_is_stored_or_after_its_replacement(polls):
    spotify = run_polls(polls).capture.spotify

    assert (spotify.used_too_early, spotify.used_too_late) == (0, 0)


@settings(ON_A_BUSY_MACHINE, max_examples=60)
@given(series())
def test_no_call_is_made_during_a_rate_limit(polls):
    assert run_polls(polls).capture.spotify.calls_while_blocked == 0


@settings(ON_A_BUSY_MACHINE, max_examples=20)
@given(series())
def test_a_repeated_poll_adds_no_row(polls):
    capture = run_polls(polls).capture
    capture.poll()
    before = len(capture.published())

    capture.poll()

    assert len(capture.published()) == before


@pytest.mark.parametrize("is_survived", [False, True], ids=["died", "lives on"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", range(STEPS))
def test_a_crash_at_any_step_of_a_poll_loses_no_play(step, moment, is_survived):
    plays = [Played(at(minute), "A", late=0) for minute in range(1, 9)]
    shown = [(play, 0) for play in plays]
    polls = [Poll(at(5), shown[:4]), Poll(at(65), shown, (step, moment), is_survived)]

    rows = rows_of(run_polls(polls).capture.published())

    assert [row.played_at for row in rows] == [play.ended_at for play in plays]


def test_a_poll_makes_ten_calls_to_spotify_and_aws(capture, spotify):
    spotify.pages = [capture.page(1)]

    capture.poll()

    assert capture.steps.taken == STEPS


def test_polls_every_20_minutes_call_spotify_once_each_and_get_one_token_an_hour(capture, spotify):
    for _ in range(72):
        spotify.pages = [capture.page(1)]
        capture.poll()
        capture.pass_time(minutes=20)

    assert Counter(spotify.paths) == {PLAYED: 72, TOKEN: 24}
