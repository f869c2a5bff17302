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
    assert Listener(5).plays_until(NOW) == Listener(5).plays_until(NOW)


def test_another_seed_is_another_person():
    assert Listener(1).plays_until(NOW) != Listener(2).plays_until(NOW)


def test_there_are_always_fifty_plays_and_the_last_is_the_newest(listener):
    plays = listener.plays_until(NOW)

    assert len(plays) == 50
    assert [play.ended_at for play in plays] == sorted(play.ended_at for play in plays)


def test_time_goes_on_without_changing_the_past(listener):
    before = listener.plays_until(NOW)
    after = listener.plays_until(NOW + 5 * MINUTE)

    added = len(set(after) - set(before))

    assert 5 <= added <= 10
    assert after[:-added] == before[added:]


def test_a_play_is_shown_after_its_end(listener):
    assert max(play.ended_at for play in listener.plays_until(NOW)) <= NOW


def test_every_minute_of_a_day_brings_one_or_two_plays_and_no_more(listener):
    starts = [NOW + number * MINUTE for number in range(24 * 60)]
    day = [play for play in listener.plays_between(NOW, NOW + 24 * 60 * MINUTE) if play.shown]

    minutes = [int((play.ended_at - NOW) / MINUTE) for play in day if play.ended_at < starts[-1]]

    assert set(range(24 * 60 - 1)) == set(minutes)
    assert max(minutes.count(minute) for minute in set(minutes)) <= 2


def test_one_thing_plays_at_a_time_and_without_a_gap(listener):
    plays = listener.plays_between(NOW, NOW + 60 * MINUTE)

    assert [right.started_at - left.ended_at for left, right in pairwise(plays)] == (
        [timedelta()] * (len(plays) - 1)
    )


def test_stretches_join_without_loss_or_doubling(listener):
    middle = listener.plays_between(NOW, NOW + 60 * MINUTE)[30].ended_at

    parts = (
        listener.plays_between(NOW, middle),
        listener.plays_between(middle, NOW + 60 * MINUTE),
    )

    assert [*parts[0], *parts[1]] == listener.plays_between(NOW, NOW + 60 * MINUTE)
    assert parts[0][-1].ended_at == middle


def test_a_play_that_ends_with_its_block_is_shown_at_once(listener):
    block_end = datetime(2026, 11, 23, 8, 40, tzinfo=UTC)

    assert listener.plays_until(block_end)[-1].ended_at == block_end


def test_skips_are_played_but_not_shown(listener):
    plays = listener.plays_between(NOW, NOW + 60 * MINUTE)

    skips = [play.ms_played for play in plays if not play.shown]

    assert len(skips) > 10
    assert max(skips) < 4_000


def test_shown_plays_last_longer_than_thirty_seconds(listener):
    plays = listener.plays_until(NOW, most=1_000)

    assert len(plays) == 1_000
    assert min(play.ms_played for play in plays) > 30_000


def test_instants_have_milliseconds_and_no_more(listener):
    instants = {play.ended_at.microsecond % 1_000 for play in listener.plays_until(NOW)}

    assert instants == {0}


def test_favourites_are_played_often(listener):
    numbers = [play.track_number for play in listener.plays_until(NOW, most=2_000)]

    assert numbers.count(0) > 100
    assert 0.15 < len(set(numbers)) / len(numbers) < 0.45
    assert min(numbers) == 0


def test_the_context_is_unknown_more_often_than_not(listener):
    contexts = [play.context_uri for play in listener.plays_until(NOW, most=1_000)]

    assert 0.6 < contexts.count(None) / 1_000 < 0.8
