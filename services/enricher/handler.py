"""Lambda entry point of the enricher: collected plays in, enriched plays out."""

from datetime import timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext

from services.enricher.cache.table import TrackCache
from services.enricher.domain.join import CollectedBatch
from services.enricher.enrich import Enricher
from services.enricher.lookup import Lookup
from services.enricher.settings import EnricherSettings
from services.enricher.wiring import now, sources, time_for_asking
from shared.aws import client
from shared.messages import collection_paused, read_messages, report_failures
from shared.queues import Queue
from shared.telemetry import logger, metrics

LONGEST_ASKING = timedelta(seconds=20)
"""Keeps the time from poll to row within a minute. Healing asks for what takes longer."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Enrich each collected batch and publish it to the loader; report the failed messages."""
    until = now() + time_for_features(context)
    with collection_paused():
        batches, failed = read_messages(event, CollectedBatch)
        failed += wire().enrich(batches, until)
    return report_failures(failed)


def time_for_features(context: LambdaContext) -> timedelta:
    """Return how long the enricher may call sources; at most 20 s, because the plays wait."""
    return min(time_for_asking(context), LONGEST_ASKING)


@cache
def wire() -> Enricher:
    """Build the enricher from its settings, once per container."""
    settings = EnricherSettings.from_environment()
    table = TrackCache(client("dynamodb"), settings.track_cache_table)
    return Enricher(
        lookup=Lookup(table, sources(settings), now),
        queue=Queue(client("sqs"), settings.enriched_plays_queue_url),
    )
