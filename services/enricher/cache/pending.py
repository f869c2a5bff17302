"""The due tracks of the track cache, read from an index of its table."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.enricher.domain.entry import MISS_WAITS
from shared.models import TrackUri
from shared.telemetry import logger

INDEX = "waiting"
"""The index of pending tracks by `misses`, sorted by `retry_at`; it holds no other tracks."""

_TRACK_URI: TypeAdapter[str] = TypeAdapter(TrackUri)


class DueTracks:
    """Reads the due tracks from the index."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, now: datetime, most: int) -> tuple[list[str], int]:
        """Return the first due tracks, and the number of all due tracks.

        Tracks without a miss come first, because a source that failed probably knows them; then
        those with one miss, two misses and so on. Among equals the longest overdue comes first.

        Args:
            now: A track whose `retry_at` is not later is due.
            most: Most tracks to return.
        """
        tracks: list[str] = []
        count = foreign = 0
        for misses in range(len(MISS_WAITS) + 1):
            start: dict[str, Any] | None = {}
            while start is not None:
                page = self._page(misses, now, start, count_only=len(tracks) >= most)
                found = [item["track_uri"]["S"] for item in page.get("Items", ())]
                known = [track for track in found if _is_track(track)]
                foreign += len(found) - len(known)
                tracks += known
                count += page["Count"]
                start = page.get("LastEvaluatedKey")
        if foreign:
            logger.warning(
                "the index of the track cache holds items that are not tracks",
                extra={"items": foreign},
            )
        return tracks[:most], count - foreign

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


def _is_track(uri: str) -> bool:
    try:
        _TRACK_URI.validate_python(uri)
    except ValidationError:
        return False
    return True
