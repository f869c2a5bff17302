"""What the table of the track cache holds of one track; pure.

An item has `track_uri` (S) and, as far as they are known, `features` (S, the JSON of
TrackFeatures). Only while an answer is awaited it has `misses` (N, 0 to 4) and `retry_at`
(N, Unix seconds), so that an index on the two holds just the tracks that wait, in order of time.
"""

import math
from datetime import UTC, datetime
from typing import Any

from services.enricher.domain.entry import MISS_WAITS, Entry, KnownFeatures
from shared.models import TrackFeatures

Item = dict[str, Any]

LAST_YEAR = 2999
"""A track that is to be asked for later would never be asked for."""


def item_of(track: str, entry: Entry) -> Item:
    """Write an entry as an item."""
    item = {"track_uri": {"S": track}}
    if entry.features is not None:
        item["features"] = {"S": entry.features.text}
    if entry.retry_at is not None:
        # Rounded up: a source that said "in 5 s" is not asked after 4.9 s.
        item["retry_at"] = {"N": str(math.ceil(entry.retry_at.timestamp()))}
        item["misses"] = {"N": str(entry.misses)}
    return item


def entry_of(item: Item) -> Entry | None:
    """Read an item; None if `item_of` did not write it.

    The features are read through once: in a message, one broken text would take the plays of
    500 tracks with it.
    """
    try:
        features = _features(item)
        if "retry_at" not in item:
            return Entry(features)
        retry_at = datetime.fromtimestamp(int(item["retry_at"]["N"]), UTC)
        misses = int(item["misses"]["N"])
    except (KeyError, ValueError, OverflowError, OSError):
        return None
    is_ours = 0 <= misses <= len(MISS_WAITS) and retry_at.year <= LAST_YEAR
    return Entry(features, misses, retry_at) if is_ours else None


def _features(item: Item) -> KnownFeatures | None:
    if "features" not in item:
        return None
    text = item["features"]["S"]
    features = TrackFeatures.model_validate_json(text)
    if features.track_uri != item["track_uri"]["S"]:
        raise ValueError("the features of another track")
    return KnownFeatures(text, features.popularity)
