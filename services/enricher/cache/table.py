"""The cache of what is known of tracks: a DynamoDB table, and this container's memory before it."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.enricher.cache.items import Item, entry_of, item_of
from services.enricher.domain.entry import Entry
from shared.telemetry import logger

READ_KEYS = 100
WRITE_ITEMS = 25
"""Most keys and items in one call, by DynamoDB's own limits."""

MOST_TRIES = 4
"""Calls for what DynamoDB left unprocessed; there is no pause, so more would not help."""

REMEMBERED_TRACKS = 100_000
"""Tracks in this container's memory, about 1 kB each."""


@dataclass(frozen=True)
class Recalled:
    """What the cache holds of the tracks that it was asked for."""

    entries: Mapping[str, Entry]
    unread: set[str] = field(default_factory=set)
    """Tracks of which the table could not tell whether it knows them."""


class TrackCache:
    """One DynamoDB table. Its failures are logged and told: healing asks for what it holds."""

    def __init__(self, dynamodb: Any, table: str, size: int = REMEMBERED_TRACKS) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._size = size
        self._memory: OrderedDict[str, Entry] = OrderedDict()

    def read(self, tracks: Iterable[str], now: datetime) -> Recalled:
        """Recall tracks; one that is due is read from the table again: it may be known by now."""
        entries: dict[str, Entry] = {}
        unsure = []
        for track in tracks:
            entry = self._memory.get(track)
            if entry is not None:
                self._memory.move_to_end(track)
                entries[track] = entry
            if entry is None or entry.is_due(now):
                unsure.append(track)
        stored, unread = self._read_table(unsure)
        self._keep(stored)
        return Recalled({**entries, **stored}, unread)

    def write(self, entries: Mapping[str, Entry]) -> set[str]:
        """Remember entries; returns the tracks whose entry the table did not take.

        What another learnt of a track, while this one's source failed, stays: entries that wait
        are compared with the table's just before. That closes all but milliseconds of the race;
        a condition would close those too, but needs a call for each track instead of each 100.
        """
        newer = self._better_known(entries)
        rest = [t for t in entries if t not in newer]
        # What waits first: each write in between would give the others time to learn of it.
        rest.sort(key=lambda track: entries[track].retry_at is None)
        refused = self._write_table({track: entries[track] for track in rest})
        # Healing looks into the table alone: what waits must not seem to be written down.
        self._keep(
            {
                track: entry
                for track, entry in {**entries, **newer}.items()
                if track not in refused or entry.retry_at is None
            }
        )
        return refused

    def _better_known(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Read again what waits for an answer, and tell what the table knows better by now."""
        waiting = [track for track, entry in entries.items() if entry.retry_at is not None]
        stored, _ = self._read_table(waiting)
        return {t: entry for t, entry in stored.items() if entries[t].knows_less_than(entry)}

    def _read_table(self, tracks: Sequence[str]) -> tuple[dict[str, Entry], set[str]]:
        entries: dict[str, Entry] = {}
        unread = set(tracks)
        try:
            for chunk in _chunks(tracks, READ_KEYS):
                unread -= self._get(chunk, entries)
        except (BotoCoreError, ClientError) as error:
            logger.warning("track cache cannot be read", extra={"error": str(error)})
        return entries, unread

    def _get(self, tracks: Sequence[str], entries: dict[str, Entry]) -> set[str]:
        """Read up to 100 tracks into `entries`; returns those that the table told about."""
        keys = [{"track_uri": {"S": track}} for track in tracks]

        def call(pending: Sequence[Item]) -> list[Item]:
            # Consistent: another container's news of a second ago is why a track is read again.
            wanted = {"Keys": pending, "ConsistentRead": True}
            answer = self._dynamodb.batch_get_item(RequestItems={self._table: wanted})
            for item in answer["Responses"].get(self._table, ()):
                _read(item, entries)
            left: list[Item] = (
                answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", [])
            )
            return left

        return set(tracks) - {key["track_uri"]["S"] for key in _until_done(keys, call)}

    def _write_table(self, entries: Mapping[str, Entry]) -> set[str]:
        refused = set(entries)
        try:
            for chunk in _chunks(list(entries), WRITE_ITEMS):
                refused -= self._put({track: entries[track] for track in chunk})
        except (BotoCoreError, ClientError) as error:
            logger.warning("track cache cannot be written", extra={"error": str(error)})
            return refused
        if refused:
            logger.warning("track cache did not take all", extra={"tracks": len(refused)})
        return refused

    def _put(self, entries: Mapping[str, Entry]) -> set[str]:
        """Write up to 25 items; returns the tracks of those that the table took."""
        requests = [{"PutRequest": {"Item": item_of(t, entry)}} for t, entry in entries.items()]

        def call(pending: Sequence[Item]) -> list[Item]:
            answer = self._dynamodb.batch_write_item(RequestItems={self._table: pending})
            left: list[Item] = answer.get("UnprocessedItems", {}).get(self._table, [])
            return left

        left = _until_done(requests, call)
        return entries.keys() - {put["PutRequest"]["Item"]["track_uri"]["S"] for put in left}

    def _keep(self, entries: Mapping[str, Entry]) -> None:
        for track, entry in entries.items():
            self._memory[track] = entry
            self._memory.move_to_end(track)
        while len(self._memory) > self._size:
            self._memory.popitem(last=False)


def _read(item: Item, entries: dict[str, Entry]) -> None:
    """Read an item into `entries`; one that cannot be read is as good as none."""
    track, entry = item["track_uri"]["S"], entry_of(item)
    if entry is None:
        logger.warning("track cache holds an unreadable item", extra={"track": track})
    else:
        entries[track] = entry


def _until_done(
    pending: Sequence[Item], call: Callable[[Sequence[Item]], list[Item]]
) -> Sequence[Item]:
    """Call until nothing is left unprocessed, a few times; returns what still is."""
    for _ in range(MOST_TRIES):
        pending = call(pending)
        if not pending:
            break
    return pending


def _chunks(sequence: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(sequence), size):
        yield sequence[start : start + size]
