"""The queues between the services: what one service publishes, SQS takes and the next reads."""

import re
from typing import Any

from services.enricher.domain.join import CollectedBatch
from shared.models import EnrichedBatch, Message, PlayBatch
from shared.queues import Queue

SQS_BYTES = 1 << 20
REFUSED = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that SQS takes in no message.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


class CheckedQueue:
    """Stands for SQS; checks each message, and keeps it."""

    def __init__(self, *models: type[Message]) -> None:
        self._models = models
        self.bodies: list[str] = []

    def send_message(self, *, MessageBody: str, **_: Any) -> None:
        assert len(MessageBody.encode()) <= SQS_BYTES
        assert not REFUSED.search(MessageBody)
        for model in self._models:
            model.model_validate_json(MessageBody)
        self.bodies.append(MessageBody)


def collected_plays() -> tuple[Queue, CheckedQueue]:
    """Return the queue to the enricher, and what it holds."""
    held = CheckedQueue(PlayBatch, CollectedBatch)
    return Queue(held, "collected-plays"), held


def enriched_plays() -> tuple[Queue, CheckedQueue]:
    """Return the queue to the loader, and what it holds."""
    held = CheckedQueue(EnrichedBatch)
    return Queue(held, "enriched-plays"), held
