"""Plays, features and batches as they reach the loader, and the events that carry them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse

from shared.models import EnrichedBatch, Message, Play, Source, TrackFeatures

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
API: Source = "recently-played"
EXPORT: Source = "extended-history"
CONTEXT: Any = SimpleNamespace(
    function_name="loader",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:loader",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 60_000,
)


def a_play(after_s: float = 0, track: str = "boats", **fields) -> Play:
    """A play that ended some seconds after noon."""
    fields = {"track_name": f"Name of {track}", "artist_name": "The Example", **fields}
    return Play(
        track_uri=f"spotify:track:{track}", played_at=NOON + timedelta(seconds=after_s), **fields
    )


def plays_apart(count: int, first: int = 0) -> tuple[Play, ...]:
    """Plays so far apart that no rule joins them."""
    return tuple(a_play(3_600 * n, f"track{n}") for n in range(first, first + count))


def a_batch(*plays: Play, origin: str = "polls/me/1", number: int = 0, **fields) -> EnrichedBatch:
    fields = {"listener": "me", "source": API, **fields}
    return EnrichedBatch(origin=origin, number=number, plays=plays, **fields)


def features(track: str = "boats", fetched_after_s: float = 0, **fields) -> TrackFeatures:
    return TrackFeatures(
        track_uri=f"spotify:track:{track}",
        source="reccobeats",
        fetched_at=NOON + timedelta(seconds=fetched_after_s),
        **fields,
    )


def an_event(*bodies: Message | str) -> dict[str, list[dict[str, str]]]:
    """An event with the messages m0, m1, …"""
    return {"Records": [{"messageId": f"m{n}", "body": _json(body)}
                        for n, body in enumerate(bodies)]}  # fmt: skip


def _json(body: Message | str) -> str:
    return body if isinstance(body, str) else body.model_dump_json(exclude_none=True)


def failures(answer: PartialItemFailureResponse) -> list[str]:
    """The ids of the messages that the queue delivers again."""
    return [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def origins(batches: Iterable[EnrichedBatch]) -> list[str]:
    return [batch.origin for batch in batches]
