"""Which tracks the sources should be asked for again: an index of the track cache tells."""

from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.enricher.domain.entry import MISS_WAITS
from shared.models import TrackUri
from shared.telemetry import logger

INDEX = "waiting"
"""By `misses`, then in order of `retry_at`; tracks that wait for nothing are not in it."""

_TRACK_URI: TypeAdapter[str] = TypeAdapter(TrackUri)


class DueTracks:
    """The reading end of the index."""

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def read(self, now: datetime, most: int) -> tuple[list[str], int]:
        """Read the tracks that are due, and count them all.

        Tracks without a miss come first, for a source that failed most likely knows them; then
        those that were missed ever more often. Of equals the one that waits longest comes first.

        Args:
            now: What may be asked by then is due.
            most: How many tracks to read.
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
            logger.warning("track cache waits for what is no track", extra={"items": foreign})
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
