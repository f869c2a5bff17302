"""Reads the due tracks: pending tracks of the track cache whose retry time has come."""

from datetime import datetime
from typing import Any

from services.enricher.domain.entry import MISS_WAITS

INDEX = "waiting"
"""The index of pending tracks by `misses`, sorted by `retry_at`; it holds no other tracks."""


class DueTracks:
    """Reads the due tracks from an index of the track cache's table."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, now: datetime, most: int) -> tuple[list[str], int]:
        """Return at most `most` due tracks, and the number of all due tracks.

        Tracks without a miss come first, because a source that failed probably knows them; then
        those with one miss, two misses and so on. Among tracks with equally many misses the longest
        overdue comes first.

        Args:
            now: A track is due if its `retry_at` is not later than this.
            most: Most tracks to return.
        """
        tracks: list[str] = []
        count = 0
        for misses in range(len(MISS_WAITS) + 1):
            start: dict[str, Any] | None = {}
            while start is not None:
                page = self._page(misses, now, start, count_only=len(tracks) >= most)
                tracks += [item["track_uri"]["S"] for item in page.get("Items", ())]
                count += page["Count"]
                start = page.get("LastEvaluatedKey")
        return tracks[:most], count

    def _page(self, misses: int, now: datetime, start: dict[str, Any], *, count_only: bool) -> Any:
        return self._dynamodb.query(
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression="misses = :misses AND retry_at <= :now",
            ExpressionAttributeValues={
                ":misses": {"N": str(misses)},
                ":now": {"N": str(int(now.timestamp()))},
            },
            Select="COUNT" if count_only else "ALL_PROJECTED_ATTRIBUTES",
            **({"ExclusiveStartKey": start} if start else {}),
        )
