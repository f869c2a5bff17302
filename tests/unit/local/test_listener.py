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


def test_the_last_plays_are_the_newest_oldest_first(listener):
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


def test_adjacent_intervals_share_no_play_and_miss_none(listener):
    middle = listener.plays_between(NOW, NOW + 60 * MINUTE)[30].ended_at

    before = listener.plays_between(NOW, middle)
    after = listener.plays_between(middle, NOW + 60 * MINUTE)

    assert [*before, *after] == listener.plays_between(NOW, NOW + 60 * MINUTE)
    assert before[-1].ended_at == middle


def test_a_play_that_ends_with_its_block_is_shown_at_once(listener):
    block_end = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)

    assert listener.plays_until(block_end, 1)[0].ended_at == block_end


def test_instants_have_milliseconds_and_no_more(listener):
    assert {play.ended_at.microsecond % 1_000 for play in listener.plays_until(NOW, 50)} == {0}


def test_favourites_are_played_often(listener):
    numbers = [play.track_number for play in listener.plays_until(NOW, 2_000)]

    assert numbers.count(0) > 100
    assert 0.15 < len(set(numbers)) / len(numbers) < 0.45


def test_the_context_is_unknown_more_often_than_not(listener):
    contexts = [play.context_uri for play in listener.plays_until(NOW, 1_000)]

    assert 0.6 < contexts.count(None) / 1_000 < 0.8
