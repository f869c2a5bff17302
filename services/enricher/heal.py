"""Lambda entry point of the healer: asks again for pending tracks."""

from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from services.enricher.cache.pending import DueTracks
from services.enricher.cache.table import TrackCache
from services.enricher.healing import Healer, Healing, HealRequest
from services.enricher.lookup import Lookup
from services.enricher.settings import HealerSettings
from services.enricher.wiring import now, sources, time_for_asking
from shared.aws import client
from shared.errors import MessageError
from shared.queues import Queue
from shared.telemetry import logger, metrics


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Heal the due tracks, or those that the event names; return the counts of `Healing`.

    Raises:
        MessageError: The event is not a `HealRequest`.
        TrackCacheError: The track cache cannot be read or written.
    """
    try:
        request = HealRequest.model_validate(event)
    except ValidationError as error:
        raise MessageError(
            'the event is not a HealRequest: send {} or {"tracks": ["spotify:track:…"], "most": 40}'
        ) from error
    healing = wire().heal(request, now() + time_for_asking(context))
    _report(healing)
    return healing.model_dump(mode="json", exclude_none=True)


@cache
def wire() -> Healer:
    """Build the healer from its settings, once per container."""
    settings = HealerSettings.from_environment()
    dynamodb, table = client("dynamodb"), settings.track_cache_table
    # Without memory: the healer asks for each track once.
    cache = TrackCache(dynamodb, table, size=0)
    return Healer(
        lookup=Lookup(cache, sources(settings), now),
        due=DueTracks(dynamodb, table),
        queue=Queue(client("sqs"), settings.enriched_plays_queue_url),
        now=now,
        most=settings.tracks_per_healing,
    )


def _report(healing: Healing) -> None:
    metrics.add_metric("TracksEnriched", MetricUnit.Count, healing.learned)
    metrics.add_metric("EnrichMisses", MetricUnit.Count, healing.missed)
    logger.info("healed", extra=healing.model_dump(mode="json"))
