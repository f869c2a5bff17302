"""The tracks that wait for audio features, read from the index of the track cache."""

from datetime import UTC, datetime
from typing import Any

from cli.output import Document, Instant
from cli.target import Target
from services.enricher.cache.pending import INDEX, DueTracks
from services.enricher.domain.entry import MISS_WAITS

FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)


class PendingFeatures(Document):
    """How many tracks wait for audio features, and when the next request for them is due."""

    tracks: int
    unknown_to_sources: int
    """Tracks for which every source has answered, but without features."""
    due_at: Instant | None
    """When features of the first of these tracks are asked for again; None if no track waits."""

    @property
    def source_failed(self) -> int:
        """Number of tracks for which no source has answered: it failed or could not be asked."""
        return self.tracks - self.unknown_to_sources


def pending_features(target: Target) -> PendingFeatures:
    """Count the tracks that wait for features."""
    dynamodb, table = target.client("dynamodb"), target.output("TrackCacheTable")
    counts = [_count(dynamodb, table, misses) for misses in range(len(MISS_WAITS) + 1)]
    firsts = [due_at for number, due_at in counts if due_at]
    return PendingFeatures(
        tracks=sum(number for number, _ in counts),
        unknown_to_sources=sum(number for number, _ in counts[1:]),
        due_at=min(firsts, default=None),
    )


def pending_tracks(target: Target) -> list[str]:
    """Return the URI of every track that waits for features, due or not."""
    due = DueTracks(target.client("dynamodb"), target.output("TrackCacheTable"))
    _, total = due.read(FAR_FUTURE, 0)
    return due.read(FAR_FUTURE, total)[0]


def failed_tracks(target: Target, pending: PendingFeatures, most: int) -> list[str]:
    """Return the URIs of at most `most` tracks whose source of features failed."""
    due = DueTracks(target.client("dynamodb"), target.output("TrackCacheTable"))
    # They come first.
    return due.read(FAR_FUTURE, min(pending.source_failed, most))[0]


def _count(dynamodb: Any, table: str, misses: int) -> tuple[int, datetime | None]:
    """Count tracks with `misses` answers without features; also return when the first is due."""
    query = {
        "TableName": table,
        "IndexName": INDEX,
        "KeyConditionExpression": "misses = :misses",
        "ExpressionAttributeValues": {":misses": {"N": str(misses)}},
    }
    # The index is sorted by `retry_at`.
    first = dynamodb.query(**query, Limit=1)["Items"]
    pages = dynamodb.get_paginator("query").paginate(**query, Select="COUNT")
    due_at = datetime.fromtimestamp(int(first[0]["retry_at"]["N"]), UTC) if first else None
    return sum(page["Count"] for page in pages), due_at
