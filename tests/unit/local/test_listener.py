from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from infra.local.simulators.listener import Listener

NOW = datetime(2026, 11, 23, 8, 34, 56, 789_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=[1, 2, 3], ids="seed {}".format)
def listener(request):
    return Listener(request.param)


def test_the_same_seed_gives_the_same_plays_after_a_restart():
    assert Listener(5).plays_until(NOW, 50) == Listener(5).plays_until(NOW, 50)
    assert Listener(5).plays_until(NOW, 50) != Listener(6).plays_until(NOW, 50)


def test_plays_until_returns_the_newest_plays_oldest_first(listener):
    plays = listener.plays_until(NOW, 50)

    assert plays == listener.plays_between(NOW - 60 * MINUTE, NOW)[-50:]
    assert len(plays) == 50
    assert NOW - MINUTE < plays[-1].ended_at <= NOW


def test_every_minute_brings_one_or_two_plays_longer_than_thirty_seconds(listener):
    plays = listener.plays_between(NOW, NOW + 24 * 60 * MINUTE)

    minutes = Counter((play.ended_at - NOW) // MINUTE for play in plays)
    lengths = [right.ended_at - left.ended_at for left, right in pairwise(plays)]

    assert set(range(24 * 60)) - set(minutes) == set()
    assert max(minutes.values()) == 2
    assert min(lengths) > MINUTE / 2
    assert max(lengths) < MINUTE


def test_adjacent_intervals_neither_repeat_nor_lose_a_play(listener):
    middle = listener.plays_between(NOW, NOW + 60 * MINUTE)[30].ended_at

    before = listener.plays_between(NOW, middle)
    after = listener.plays_between(middle, NOW + 60 * MINUTE)

    assert [*before, *after] == listener.plays_between(NOW, NOW + 60 * MINUTE)
    assert before[-1].ended_at == middle


def test_a_play_that_ends_right_now_is_already_listed(listener):
    block_end = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)

    assert listener.plays_until(block_end, 1)[0].ended_at == block_end


def test_play_times_are_whole_milliseconds(listener):
    assert {play.ended_at.microsecond % 1_000 for play in listener.plays_until(NOW, 50)} == {0}


def test_one_track_is_played_over_100_times_in_2000_plays(listener):
    numbers = [play.track_number for play in listener.plays_until(NOW, 2_000)]

    assert numbers.count(0) > 100
    assert 0.15 < len(set(numbers)) / len(numbers) < 0.45


def test_sixty_to_eighty_percent_of_plays_have_no_context(listener):
    contexts = [play.context_uri for play in listener.plays_until(NOW, 1_000)]

    assert 0.6 < contexts.count(None) / 1_000 < 0.8
