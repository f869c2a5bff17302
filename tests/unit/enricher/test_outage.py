"""The feature source is down or slow, and the plays go on."""

from datetime import datetime, timedelta

import pytest
import requests

from services.enricher.handler import LONGEST_ASKING
from services.enricher.healing import Healing
from services.enricher.sources.reccobeats import TIMEOUT_S
from services.enricher.sources.source import Answer, SourceOffError
from shared.errors import FeatureSourceError
from tests.unit.enricher.examples import START, uris
from tests.unit.enricher.fake_source import Source, failing
from tests.unit.enricher.pipeline import Pipeline

TRACKS = uris(10_000)
HOURS = 24
TICKS = 12
PER_TICK = -(-len(TRACKS) // (HOURS * TICKS))


class Crawling:
    """A source that answers once just in time, and then takes as long as its timeouts allow.

    A source takes two calls for what it is asked.
    """

    def __init__(self, clock, failure):
        self._clock = clock
        self._failure = failure
        self._fetches = 0

    def fetch(self, tracks, /):
        self._fetches += 1
        if self._fetches == 1:
            self._clock.time += LONGEST_ASKING - timedelta(milliseconds=1)
            return Answer(missing=frozenset(tracks))
        self._clock.move(seconds=2 * sum(TIMEOUT_S))
        return Answer(missing=frozenset(() if self._failure else tracks), failure=self._failure)


@pytest.fixture
def pipeline(reccobeats, clock):
    with requests.Session() as session:
        yield Pipeline(reccobeats, session, clock)


def a_day_without_features(pipeline, reccobeats, clock):
    """Play 10,000 distinct tracks; return the time of each, and the calls per hour."""
    reccobeats.fail(503)
    played_at: dict[str, datetime] = {}
    calls = []
    for hour in range(HOURS):
        # Each new container has to find out that the source is down.
        enricher = pipeline.new_enricher()
        for tick in range(hour * TICKS, (hour + 1) * TICKS):
            tracks = TRACKS[tick * PER_TICK : (tick + 1) * PER_TICK]
            played_at |= pipeline.play(enricher, tracks)
            clock.move(minutes=5)
        assert pipeline.heal().learned == 0
        calls.append(len(reccobeats.calls))
        reccobeats.calls.clear()
    return played_at, calls


def test_a_source_that_is_down_delays_no_play(pipeline, reccobeats, clock):
    played_at, calls = a_day_without_features(pipeline, reccobeats, clock)

    assert pipeline.loaded_at == played_at
    assert set(played_at) == set(TRACKS)
    assert max(calls) <= 4
    assert pipeline.features == {}


def test_healing_after_a_day_stays_within_the_call_budget(pipeline, reccobeats, clock):
    a_day_without_features(pipeline, reccobeats, clock)
    reccobeats.recover()
    clock.move(minutes=15)

    healings = [pipeline.heal() for _ in range(5)]

    assert healings[-1] == Healing(asked=2_000, learned=2_000)
    assert set(pipeline.features) == set(TRACKS)
    assert len(reccobeats.calls) == 2 * 10_000 / 40
    assert len({one for call in reccobeats.calls for one in call.ids}) == 10_000
    assert pipeline.heal() == Healing()


def test_tracks_heal_once_a_source_is_on(pipeline, clock):
    off = pipeline.new_enricher(Source(failing(SourceOffError("not logged in"))))
    pipeline.play(off, TRACKS[:50])
    clock.move(hours=1)

    healing = pipeline.heal()

    assert healing == Healing(asked=50, learned=50)
    assert set(pipeline.features) == set(TRACKS[:50])


@pytest.mark.parametrize("failure", [None, FeatureSourceError("timeout")], ids=["slow", "hangs"])
def test_a_slow_source_delays_plays_by_less_than_a_minute(pipeline, clock, failure):
    enricher = pipeline.new_enricher(Crawling(clock, failure))

    pipeline.play(enricher, TRACKS[:500])

    longest = LONGEST_ASKING + timedelta(seconds=2 * sum(TIMEOUT_S))
    assert set(pipeline.loaded_at) == set(TRACKS[:500])
    assert longest - timedelta(seconds=1) < clock.time - START < timedelta(minutes=1)
