"""Consuming a queue: the messages of one invocation, read all at once."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from pydantic import ValidationError

from shared.faults import faults_of
from shared.models import Message
from shared.telemetry import logger

LOGGED_FAULTS = 5

M = TypeVar("M", bound=Message)


def read_messages(event: dict[str, Any], model: type[M]) -> tuple[dict[str, M], list[str]]:
    """Part the messages that fit their model, by id, from the ids of those that do not.

    Args:
        event: What Lambda hands to a consumer of SQS.
        model: What a body must be.
    """
    readable: dict[str, M] = {}
    poisoned = []
    for record in SQSEvent(event).records:
        try:
            readable[record.message_id] = model.model_validate_json(record.body)
        except ValidationError as error:
            poisoned.append(record.message_id)
            faults = faults_of(error)[:LOGGED_FAULTS]
            facts = {"id": record.message_id, "model": model.__name__, "faults": faults}
            logger.error("message does not fit its model", extra=facts)
    return readable, poisoned


def report_failures(message_ids: Sequence[str]) -> PartialItemFailureResponse:
    """Tell Lambda which messages of the invocation go back to the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


@contextmanager
def collection_paused() -> Iterator[None]:
    """Keep the garbage collector from walking the objects of a batch again and again.

    Thousands of plays live until the batch is done and none is part of a cycle; the walks took a
    fifth of the loader's processor time (`make bench`).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
