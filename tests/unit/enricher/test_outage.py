"""The source of features is away or crawls, and the plays go on."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
import requests

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache
from services.enricher.domain.join import CollectedBatch
from services.enricher.enrich import Enricher
from services.enricher.handler import LONGEST_ASKING
from services.enricher.healing import Healer, Healing, HealRequest
from services.enricher.lookup import Lookup
from services.enricher.sources.reccobeats import LONGEST_CALL_S, ReccoBeats
from services.enricher.sources.source import Answer, SourceOffError
from shared.errors import FeatureSourceError
from shared.models import EnrichedBatch
from shared.queues import Queue
from tests.unit.enricher.examples import START, a_batch, a_play, uris
from tests.unit.enricher.test_lookup import Source, failing

TRACKS = uris(10_000)
HOURS = 24
TICKS = 12
PER_TICK = -(-len(TRACKS) // (HOURS * TICKS))
MOST_BATCHES = 10


class MemoryTable:
    """The table and its index; moto would take a minute for what this test writes."""

    def __init__(self):
        self._items = {}

    def batch_get_item(self, RequestItems):
        ((table, wanted),) = RequestItems.items()
        found = [self._items.get(key["track_uri"]["S"]) for key in wanted["Keys"]]
        return {"Responses": {table: list(filter(None, found))}}

    def batch_write_item(self, RequestItems):
        (puts,) = RequestItems.values()
        items = [put["PutRequest"]["Item"] for put in puts]
        self._items |= {item["track_uri"]["S"]: item for item in items}
        return {}

    def query(self, *, ExpressionAttributeValues, **_):
        misses, now = ExpressionAttributeValues[":misses"], ExpressionAttributeValues[":now"]
        found = [
            item
            for item in self._items.values()
            if item.get("misses") == misses and int(item["retry_at"]["N"]) <= int(now["N"])
        ]
        in_order = sorted(found, key=lambda item: int(item["retry_at"]["N"]))
        return {"Items": in_order, "Count": len(in_order)}


class Pipeline:
    """Enricher and healer around one table, with the loader's end of their queue."""

    def __init__(self, reccobeats, session, clock, table=None):
        self._table = table or MemoryTable()
        self._source = ReccoBeats(reccobeats.url, session, clock)
        self._clock = clock
        self._queue = Queue(SimpleNamespace(send_message=self._load), "enriched-plays")
        self.loaded_at = {}
        self.features = {}

    def new_enricher(self, source=None, most_batches=MOST_BATCHES):
        return Enricher(
            lookup=self._lookup(size=100_000, source=source),
            queue=self._queue,
            now=self._clock,
            most_batches=most_batches,
        )

    def play(self, enricher, tracks):
        """Have tracks played; gives the instant for each."""
        batch = CollectedBatch.model_validate(a_batch(*map(a_play_of, tracks)).model_dump())
        until = self._clock.time + LONGEST_ASKING
        assert enricher.enrich({"message": batch}, until) == []
        return dict.fromkeys(tracks, self._clock.time)

    def heal(self):
        """Heal as the schedule does, in a container that has just started."""
        due = DueTracks(self._table, "track-cache")
        lookup = self._lookup(size=0)
        healer = Healer(lookup=lookup, due=due, queue=self._queue, now=self._clock, most=2_000)
        return healer.heal(HealRequest(), self._clock.time + timedelta(seconds=200))

    def _lookup(self, size, source=None):
        cache = TrackCache(self._table, "track-cache", size)
        return Lookup(cache, {"source": source or self._source}, self._clock)

    def _load(self, QueueUrl, MessageBody):
        batch = EnrichedBatch.model_validate_json(MessageBody)
        self.loaded_at |= {play.track_uri: self._clock.time for play in batch.plays}
        self.features |= {features.track_uri: features for features in batch.features}


class Crawling:
    """A source that answers once, just in time, and then takes as long as it can; it fails or not.

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
        self._clock.move(seconds=2 * LONGEST_CALL_S)
        return Answer(missing=frozenset(() if self._failure else tracks), failure=self._failure)


def a_play_of(track):
    return a_play(track.rpartition(":")[2])


@pytest.fixture
def pipeline(reccobeats, clock):
    with requests.Session() as session:
        yield Pipeline(reccobeats, session, clock)


def a_day_without_features(pipeline, reccobeats, clock):
    """Play 10,000 distinct tracks; gives when each was played, and the calls by hour."""
    reccobeats.fail(503)
    played_at, calls = {}, []
    for hour in range(HOURS):
        # Containers seldom live that long, and each finds out for itself that the source is down.
        enricher = pipeline.new_enricher()
        for tick in range(hour * TICKS, (hour + 1) * TICKS):
            tracks = TRACKS[tick * PER_TICK : (tick + 1) * PER_TICK]
            played_at |= pipeline.play(enricher, tracks)
            clock.move(minutes=5)
        assert pipeline.heal().learned == 0
        calls.append(len(reccobeats.calls))
        reccobeats.calls.clear()
    return played_at, calls


def test_while_the_source_is_down_plays_go_on_at_once_and_it_is_hardly_asked(
    pipeline, reccobeats, clock
):
    played_at, calls = a_day_without_features(pipeline, reccobeats, clock)

    assert pipeline.loaded_at == played_at
    assert set(played_at) == set(TRACKS)
    assert max(calls) <= 4
    assert pipeline.features == {}


def test_after_a_day_without_its_source_healing_fills_all_within_the_budget(
    pipeline, reccobeats, clock
):
    a_day_without_features(pipeline, reccobeats, clock)
    reccobeats.recover()
    clock.move(minutes=15)

    healings = [pipeline.heal() for _ in range(5)]

    assert healings[-1] == Healing(asked=2_000, learned=2_000)
    assert set(pipeline.features) == set(TRACKS)
    assert len(reccobeats.calls) == 2 * 10_000 / 40
    assert len({one for call in reccobeats.calls for one in call.ids}) == 10_000
    assert pipeline.heal() == Healing()


def test_what_was_played_while_no_source_was_on_heals_once_one_is(pipeline, clock):
    off = pipeline.new_enricher(Source(failing(SourceOffError("not logged in"))))
    pipeline.play(off, TRACKS[:50])
    clock.move(hours=1)

    healing = pipeline.heal()

    assert healing == Healing(asked=50, learned=50)
    assert set(pipeline.features) == set(TRACKS[:50])


@pytest.mark.parametrize("failure", [None, FeatureSourceError("timeout")], ids=["slow", "hangs"])
def test_a_source_that_crawls_delays_plays_by_less_than_a_minute(pipeline, clock, failure):
    enricher = pipeline.new_enricher(Crawling(clock, failure))

    pipeline.play(enricher, TRACKS[:500])

    longest = LONGEST_ASKING + timedelta(seconds=2 * LONGEST_CALL_S)
    assert set(pipeline.loaded_at) == set(TRACKS[:500])
    assert longest - timedelta(seconds=1) < clock.time - START < timedelta(minutes=1)
