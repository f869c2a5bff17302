"""Dead letters: their content, the filter that selects them, and the check of a body; pure."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AliasChoices, AliasPath, BaseModel, Field, ValidationError

from cli.log_lines import LogLine
from cli.output import Document, Instant
from services.collector.backfill.s3_event import read_event
from shared.archive import listener_of, upload_origin
from shared.errors import MessageError
from shared.faults import faults_of
from shared.models import EnrichedBatch, Listener, PlayBatch

MODELS = {"collected-plays": PlayBatch, "enriched-plays": EnrichedBatch}
NO_REASON = "unknown: no line of the log names it"


class DeadLetter(Document):
    """One message of a dead-letter queue, as `plays dlq save` writes it."""

    id: str
    queue: str
    """Without the deployment's prefix, such as `enriched-plays`."""
    sent_at: Instant
    """When it was first sent; SQS keeps it for 14 days from then on."""
    received: int
    """How often it was received, by its function and by readers of dead letters."""
    listener: str | None = None
    origin: str | None = None
    plays: int | None = None
    reason: str | None = None
    """The error of its last attempt; None if the log does not name it."""
    log: tuple[LogLine, ...] = ()
    """The lines of that attempt."""
    attributes: dict[str, Any] = Field(default_factory=dict)
    body: Any
    """Its text; None in a summary."""

    def summary(self) -> "DeadLetter":
        """Return the dead letter without body and log, so that thousands fit in memory."""
        return self.model_copy(update={"body": None, "log": ()})


class _Body(BaseModel):
    """The fields read from the body of a batch, an upload's or poll's event, or a failed poll."""

    listener: Listener | None = Field(
        None, validation_alias=AliasChoices(AliasPath("requestPayload", "listener"), "listener")
    )
    origin: str | None = None
    plays: list[Any] | None = None
    key: str | None = Field(None, validation_alias=AliasPath("detail", "object", "key"))
    version: str = Field("", validation_alias=AliasPath("detail", "object", "version-id"))
    error: str | None = Field(None, validation_alias=AliasPath("responsePayload", "errorType"))
    message: str | None = Field(None, validation_alias=AliasPath("responsePayload", "errorMessage"))
    dropped: str | None = Field(None, validation_alias=AliasPath("requestContext", "condition"))


def read_message(queue: str, message: dict[str, Any]) -> DeadLetter:
    """Convert an SQS message to a DeadLetter, without listener and origin if its body is invalid.

    Failed polls carry their reason: in the body if the function failed or Lambda dropped the event,
    in the attributes if the schedule could not invoke it.
    """
    try:
        body = _Body.model_validate_json(message["Body"])
    except ValidationError:
        body = _Body()
    attributes, system = message.get("MessageAttributes", {}), message["Attributes"]
    causes = [attributes.get(name, {}).get("StringValue") for name in _SCHEDULE_ERROR]
    return DeadLetter(
        id=message["MessageId"],
        queue=queue,
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1_000, UTC),
        received=int(system["ApproximateReceiveCount"]),
        listener=listener_of(body.key) if body.key else body.listener,
        origin=upload_origin(body.key, body.version) if body.key else body.origin,
        plays=None if body.plays is None else len(body.plays),
        reason=_joined(body.error, body.message) or _joined(*causes) or body.dropped,
        attributes=attributes,
        body=message["Body"],
    )


_SCHEDULE_ERROR = ("ERROR_CODE", "ERROR_MESSAGE")
"""The attributes that EventBridge Scheduler adds to what it could not deliver."""


def _joined(*parts: str | None) -> str | None:
    return ": ".join(part for part in parts if part) or None


@dataclass(frozen=True)
class Filter:
    """Which dead letters a command works on; an empty filter matches all of them.

    `ids` are whole ids or prefixes. `origin` and `reason` match substrings, ignoring case.
    """

    ids: tuple[str, ...] = ()
    listener: str | None = None
    origin: str | None = None
    reason: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    most: int | None = None

    @property
    def is_empty(self) -> bool:
        """True if the filter matches every dead letter."""
        return not any(getattr(self, field.name) for field in fields(self))

    def matches(self, letter: DeadLetter, now: datetime) -> bool:
        """True if a dead letter matches; the caller applies the limit `most`."""
        age = now - letter.sent_at
        return (
            (not self.ids or letter.id.startswith(self.ids))
            and (self.listener is None or letter.listener == self.listener)
            and _contains(letter.origin or "", self.origin)
            and _contains(letter.reason or NO_REASON, self.reason)
            and (self.older_than is None or age > self.older_than)
            and (self.newer_than is None or age < self.newer_than)
        )


def _contains(text: str, part: str | None) -> bool:
    return part is None or part.casefold() in text.casefold()


class Group(Document):
    """Dead letters of one queue with the same listener and reason."""

    queue: str
    listener: str | None
    reason: str | None
    count: int
    oldest_at: Instant


def group(letters: Iterable[DeadLetter]) -> tuple[Group, ...]:
    """Group dead letters by queue, listener and reason, the largest group of a queue first."""
    sent: dict[tuple[str, str | None, str | None], list[datetime]] = defaultdict(list)
    for each in letters:
        sent[each.queue, each.listener, each.reason].append(each.sent_at)
    groups = (
        Group(queue=queue, listener=listener, reason=reason, count=len(at), oldest_at=min(at))
        for (queue, listener, reason), at in sent.items()
    )
    return tuple(sorted(groups, key=lambda each: (each.queue, -each.count, each.oldest_at)))


def decode(body: str) -> Any:
    """Parse a body as JSON; return it unchanged if it is not JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return body


def faults_in(queue: str, body: str, bucket: str) -> list[str]:
    """Return why the function that consumes a queue could not read a body; empty if it could.

    Args:
        queue: `collected-plays`, `enriched-plays` or `uploaded-files`.
        body: The text of the message.
        bucket: The archive bucket; an upload's event that names another bucket cannot be read.
    """
    try:
        if queue in MODELS:
            MODELS[queue].model_validate_json(body)
        else:
            read_event(body, bucket)
    except ValidationError as error:
        return faults_of(error)
    except MessageError as error:
        return [str(error)]
    return []
