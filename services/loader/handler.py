"""Lambda entry point of the loader: enriched batches in, rows in Postgres out."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.loader.connection import WarmConnection
from services.loader.refresh import refresh_after_load
from services.loader.settings import LoaderSettings
from services.loader.store import Store
from shared.errors import DatabaseError, DatabaseRefusalError
from shared.messages import collection_paused, read_messages, report_failures
from shared.models import EnrichedBatch
from shared.telemetry import logger

ANSWER_TIMEOUT_S = 25
"""Less than half of an invocation's time, so that a second connection can replace a dead one."""

REFRESH_S = 20
"""Most seconds that a load refreshes the derived tables: less than ANSWER_TIMEOUT_S, so that
Postgres cancels the statement before the connection counts as dead."""

Load = Callable[[Sequence[EnrichedBatch]], None]


@logger.inject_lambda_context
@collection_paused()
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Load all batches of the event in one transaction; report only the messages that failed.

    Then refresh the derived tables, unless an upload is still incomplete.

    Raises:
        DatabaseAwayError: Postgres is not available: the queue keeps all messages and retries.
    """
    loader = wire()
    batches, failed = read_messages(event, EnrichedBatch)
    failed += _load(list(batches.items()), loader.load)
    if batches:
        # A third, because a transaction that starts at its end may take as long again.
        third_s = context.get_remaining_time_in_millis() / 3_000
        loader.refresh([*batches.values()], min(REFRESH_S, third_s))
    return report_failures(failed)


@cache
def wire() -> "Loader":
    """Create the loader from its settings, once per container."""
    return Loader(LoaderSettings.from_environment())


class Loader:
    """Loads batches through a connection that it keeps warm."""

    def __init__(self, settings: LoaderSettings) -> None:
        self.connection = WarmConnection(
            settings, lambda database: Store(database, settings.match_window), ANSWER_TIMEOUT_S
        )

    def load(self, batches: Sequence[EnrichedBatch]) -> None:
        """Load batches in one transaction."""
        self.connection.run(lambda store: store.load(batches))

    def refresh(self, batches: Sequence[EnrichedBatch], most_s: float) -> None:
        """Refresh the derived tables after a load, unless an upload is still incomplete.

        A failure is logged, and the stale months stay marked for a later refresh. It is not raised,
        because the load is committed and SQS would deliver its messages again.

        Args:
            batches: The loaded batches.
            most_s: The most time that the refresh may take, seconds.
        """
        try:
            months_left = self.connection.run(
                lambda store: refresh_after_load(store.database, batches, most_s), retries=False
            )
        except DatabaseError as error:
            logger.warning("derived tables were not refreshed", extra={"error": str(error)})
            return
        if months_left is not None:
            logger.info("derived tables were refreshed", extra={"months_left": months_left})


def _load(messages: list[tuple[str, EnrichedBatch]], load: Load) -> list[str]:
    """Load messages together; if Postgres refuses data, bisect to the message it came from.

    Returns:
        The ids of the refused messages.
    """
    if not messages:
        return []
    try:
        load([batch for _, batch in messages])
    except DatabaseRefusalError as error:
        if len(messages) > 1:
            middle = len(messages) // 2
            return _load(messages[:middle], load) + _load(messages[middle:], load)
        message_id, batch = messages[0]
        facts = {"id": message_id, "origin": batch.origin, "number": batch.number}
        logger.error("batch was refused", extra={**facts, "error": str(error)})
        return [message_id]
    plays = sum(len(batch.plays) for _, batch in messages)
    logger.info("loaded", extra={"batches": len(messages), "plays": plays})
    return []
