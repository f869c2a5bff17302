"""Enricher and healer with one track cache in memory, and a loader that records."""

from datetime import timedelta
from types import SimpleNamespace

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache
from services.enricher.domain.join import CollectedBatch
from services.enricher.enrich import Enricher
from services.enricher.handler import LONGEST_ASKING
from services.enricher.healing import Healer, HealRequest
from services.enricher.lookup import Lookup
from services.enricher.sources.reccobeats import ReccoBeats
from shared.models import EnrichedBatch
from shared.queues import Queue
from tests.unit.enricher.examples import a_batch, a_play


def a_play_of(track):
    return a_play(track.rpartition(":")[2])


class MemoryTable:
    """The table and its index; moto would take a minute for these writes."""

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
    """Enricher and healer with one table, and a loader that records what it receives."""

    def __init__(self, reccobeats, session, clock, table=None):
        self._table = table or MemoryTable()
        self._source = ReccoBeats(reccobeats.url, session, clock)
        self._clock = clock
        self._queue = Queue(SimpleNamespace(send_message=self._load), "enriched-plays")
        self.loaded_at = {}
        self.features = {}

    def new_enricher(self, source=None):
        return Enricher(lookup=self._lookup(size=100_000, source=source), queue=self._queue)

    def play(self, enricher, tracks):
        """Enrich plays of tracks; return the time of each."""
        batch = CollectedBatch.model_validate(a_batch(*map(a_play_of, tracks)).model_dump())
        until = self._clock.time + LONGEST_ASKING
        assert enricher.enrich({"message": batch}, until) == []
        return dict.fromkeys(tracks, self._clock.time)

    def heal(self):
        """Heal as scheduled, in a container that has just started."""
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
