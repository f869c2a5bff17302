"""Reads the messages of one invocation of a queue's consumer."""

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
    """Validate the messages; return the valid ones by id, and the ids of the others.

    It logs all ids first, because `plays dlq` finds the reason of a dead letter in the log of the
    invocation that received it, even if that invocation timed out.

    Args:
        event: The event that Lambda passes to a consumer of SQS.
        model: The model of a message body.
    """
    readable: dict[str, M] = {}
    poisoned = []
    records = list(SQSEvent(event).records)
    log_received(*(record.message_id for record in records))
    for record in records:
        try:
            readable[record.message_id] = model.model_validate_json(record.body)
        except ValidationError as error:
            poisoned.append(record.message_id)
            faults = faults_of(error)[:LOGGED_FAULTS]
            facts = {"id": record.message_id, "model": model.__name__, "faults": faults}
            logger.error("message does not fit its model", extra=facts)
    return readable, poisoned


def log_received(*message_ids: str) -> None:
    """Log the ids of the messages that this invocation processes."""
    logger.info("messages received", extra={"message_ids": message_ids})


def report_failures(message_ids: Sequence[str]) -> PartialItemFailureResponse:
    """Return the response that sends these messages back to the queue."""
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in message_ids]}


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the garbage collector while a batch is processed.

    The plays of a batch stay in memory until its end, and none is part of a reference cycle. The
    collector took a fifth of the CPU time of the loader (`make bench`).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
