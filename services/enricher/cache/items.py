"""The DynamoDB items of the track cache; pure.

An item has `track_uri` (S) and `features` (S, the JSON of TrackFeatures) if any are known. The
item of a pending track also has `misses` (N, 0 to 4) and `retry_at` (N, Unix seconds), so an index
on these two holds just the pending tracks, sorted by `retry_at`.
"""

import math
from datetime import UTC, datetime
from typing import Any

from services.enricher.domain.entry import MISS_WAITS, Entry
from shared.models import TrackFeatures

Item = dict[str, Any]

LAST_YEAR = 2999
"""The latest valid year of `retry_at`. A later one counts as damaged, because its track would
never be asked for again."""


def item_of(track: str, entry: Entry) -> Item:
    """Convert the cache entry of a track to its DynamoDB item."""
    item = {"track_uri": {"S": track}}
    if entry.features is not None:
        item["features"] = {"S": entry.features.model_dump_json(exclude_none=True)}
    if entry.retry_at is not None:
        # Rounded up: a source that said "in 5 s" is not asked after 4.9 s.
        item["retry_at"] = {"N": str(math.ceil(entry.retry_at.timestamp()))}
        item["misses"] = {"N": str(entry.misses)}
    return item


def entry_of(item: Item) -> Entry | None:
    """Convert a DynamoDB item to the cache entry of its track; None if the item is damaged."""
    try:
        features = _features(item)
        if "retry_at" not in item:
            return Entry(features)
        retry_at = datetime.fromtimestamp(int(item["retry_at"]["N"]), UTC)
        misses = int(item["misses"]["N"])
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    is_valid = 0 <= misses <= len(MISS_WAITS) and retry_at.year <= LAST_YEAR
    return Entry(features, misses, retry_at) if is_valid else None


def _features(item: Item) -> TrackFeatures | None:
    if "features" not in item:
        return None
    features = TrackFeatures.model_validate_json(item["features"]["S"])
    if features.track_uri != item["track_uri"]["S"]:
        raise ValueError("the features in the item are those of another track")
    return features
