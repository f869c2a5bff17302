"""The track cache: a DynamoDB table, and the memory of this container in front of it."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from services.enricher.cache.items import Item, entry_of, item_of
from services.enricher.chunks import chunks
from services.enricher.domain.entry import Entry
from shared.errors import HistoryError
from shared.telemetry import logger

READ_KEYS = 100
WRITE_ITEMS = 25
"""Most keys and items in one call; DynamoDB's own limits."""

MAX_CALLS = 4
"""Most calls until DynamoDB has processed all. Without a pause, more would not help."""

MEMORY_TRACKS = 100_000
"""Tracks in the memory of this container, about 2 kB each."""


class TrackCacheError(HistoryError):
    """The table of the track cache cannot be read or written now."""


class TrackCache:
    """Reads and writes the entries of tracks, in the table and in memory."""

    def __init__(self, dynamodb: Any, table: str, size: int = MEMORY_TRACKS) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._size = size
        self._memory: OrderedDict[str, Entry] = OrderedDict()

    def read(self, tracks: Iterable[str], now: datetime) -> dict[str, Entry]:
        """Return the entries of the tracks that have one.

        A due track is read from the table again, because another container may have found its
        features.

        Raises:
            TrackCacheError: The table cannot be read.
        """
        entries: dict[str, Entry] = {}
        unsure = []
        for track in tracks:
            entry = self._memory.get(track)
            if entry is not None:
                self._memory.move_to_end(track)
                entries[track] = entry
            if entry is None or entry.is_due(now):
                unsure.append(track)
        stored = self._read_table(unsure)
        self._keep(stored)
        return entries | stored

    def write(self, entries: Mapping[str, Entry]) -> None:
        """Write entries to the table, and keep them in memory.

        An entry replaces what another container wrote meanwhile. If that container had found the
        track's features, they are already published, and healing asks for them once more.
        Preventing this race would cost more than it saves: a read before each write, or a
        conditional write per track instead of one write per 25.

        Raises:
            TrackCacheError: The table did not store all entries; the memory keeps none of them.
        """
        puts = [{"PutRequest": {"Item": item_of(t, entry)}} for t, entry in entries.items()]
        for chunk in chunks(puts, WRITE_ITEMS):
            self._call("batch_write_item", chunk, "UnprocessedItems")
        self._keep(entries)

    def _read_table(self, tracks: Sequence[str]) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for chunk in chunks(tracks, READ_KEYS):
            # Consistent, because the read must see what another container wrote a second ago.
            keys = {"Keys": [{"track_uri": {"S": t}} for t in chunk], "ConsistentRead": True}
            for answer in self._call("batch_get_item", keys, "UnprocessedKeys"):
                entries |= _entries(answer["Responses"].get(self._table, ()))
        return entries

    def _call(self, operation: str, request: Any, unprocessed: str) -> list[Any]:
        """Call a DynamoDB batch operation until no item is left unprocessed; return its answers."""
        answers: list[Any] = []
        requests = {self._table: request}
        try:
            for _ in range(MAX_CALLS):
                answers.append(getattr(self._dynamodb, operation)(RequestItems=requests))
                requests = answers[-1].get(unprocessed)
                if not requests:
                    return answers
        except (BotoCoreError, ClientError) as error:
            raise TrackCacheError(f"{operation} of the track cache failed: {error}") from error
        raise TrackCacheError(
            f"{operation} of the track cache left items unprocessed after {MAX_CALLS} calls: "
            "retry later"
        )

    def _keep(self, entries: Mapping[str, Entry]) -> None:
        for track, entry in entries.items():
            self._memory[track] = entry
            self._memory.move_to_end(track)
        while len(self._memory) > self._size:
            self._memory.popitem(last=False)


def _entries(items: Iterable[Item]) -> dict[str, Entry]:
    """Convert DynamoDB items to entries by track uri; log and leave out unreadable items."""
    entries = {}
    for item in items:
        track, entry = item["track_uri"]["S"], entry_of(item)
        if entry is None:
            logger.warning("track cache holds an unreadable item", extra={"track": track})
        else:
            entries[track] = entry
    return entries
