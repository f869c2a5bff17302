"""Lambda entry point of the enricher: collected plays in, enriched plays out.

Plays never wait for features, and no track that waits for them is forgotten. A track that got none
is written into the track cache, where healing finds it. Where the table takes no such note, or
cannot be read, the message is the only note there is: its plays are published, and it goes back to
the queue all the same. To publish a batch again costs work and changes nothing downstream, which
knows a batch by its origin and number, and each play once.

A message whose table is away to the last attempt, for an hour or so, becomes a dead letter. That is
better than to let go of it: its plays arrived long before, a table that is away for so long should
ring, and a replay heals what the message still stands for. A track whose features were published
needs no note: the cache would only save a call.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from services.enricher.cache import TrackCache
from services.enricher.findings import Findings
from services.enricher.join import CollectedBatch, healing_batch, join
from services.enricher.lookup import Lookup
from services.enricher.settings import EnricherSettings
from services.enricher.wiring import now, sources, time_for_asking
from shared.aws import client
from shared.messages import collection_paused, read_messages, report_failures
from shared.models import iso
from shared.queues import Queue
from shared.telemetry import logger, metrics

LONGEST_ASKING = timedelta(seconds=20)
"""Plays are to be rows within a minute of their poll, so healing asks for what takes longer."""


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Enrich each collected batch and pass it on to the loader; report just the failed ones."""
    until = now() + time_for_features(context)
    with collection_paused():
        batches, failed = read_messages(event, CollectedBatch)
        failed += wire().enrich(batches, until)
    return report_failures(failed)


def time_for_features(context: LambdaContext) -> timedelta:
    """Tell how long an invocation may ask sources while its plays wait."""
    return min(time_for_asking(context), LONGEST_ASKING)


@cache
def wire() -> "Enricher":
    """Build the enricher from its settings, once per container."""
    settings = EnricherSettings.from_environment()
    table = TrackCache(client("dynamodb"), settings.track_cache_table)
    lookup = Lookup(table, sources(settings), now)
    queue = Queue(client("sqs"), settings.enriched_plays_queue_url)
    return Enricher(lookup, queue, settings.messages_per_invocation)


class Enricher:
    """Enriches the batches of an invocation with one look-up for all of them.

    In the middle of an upload it makes just full calls: two for 40 tracks, however these fall into
    invocations. What is left over is asked for with what comes next, and its features go to the
    loader alone. It is written down as due, so that healing asks for it if nothing comes.

    Args:
        lookup: Knows the cache and the sources.
        queue: Leads to the loader.
        most_batches: How many an invocation may have.
    """

    def __init__(self, lookup: Lookup, queue: Queue, most_batches: int) -> None:
        self._lookup = lookup
        self._queue = queue
        self._most_batches = most_batches
        self._left: Sequence[str] = ()

    def enrich(self, batches: Mapping[str, CollectedBatch], until: datetime) -> list[str]:
        """Publish each batch with the features of its tracks, as far as they are known.

        Args:
            batches: By message id.
            until: When to stop asking for features.

        Returns:
            The ids of the messages that are to come again: they could not be published, or hold
            tracks that wait for features and could not be written down.
        """
        tracks = [play["track_uri"] for batch in batches.values() for play in batch.plays]
        wanted = dict.fromkeys((*self._left, *tracks))
        findings = self._lookup.find(wanted, until, full_calls=self._more_comes(batches.values()))
        failed = {m for m, batch in batches.items() if not self._publish(m, batch, findings)}
        self._publish_late(findings)
        # Plays come first: a slow cache must not hold them up.
        lost = findings.lost(self._lookup.remember(findings))
        self._left = findings.left
        failed |= _holding(batches, lost)
        _report(batches.values(), findings)
        return [message_id for message_id in batches if message_id in failed]

    def _more_comes(self, batches: Collection[CollectedBatch]) -> bool:
        """Tell whether this is the middle of an upload, though the queue is in no order.

        No origin ends here, and there was as much as an invocation may have.
        """
        return len(batches) == self._most_batches and not any(batch.report for batch in batches)

    def _publish(self, message_id: str, batch: CollectedBatch, findings: Findings) -> bool:
        try:
            self._queue.publish_json(join(batch, findings.features))
        except (BotoCoreError, ClientError) as error:
            logger.error(
                "batch cannot be published",
                extra={"id": message_id, "origin": batch.origin, "error": str(error)},
            )
            return False
        return True

    def _publish_late(self, findings: Findings) -> None:
        """Publish the features of tracks whose plays were published before.

        A failure is raised before anything is remembered: all of it is done again.
        """
        late = [findings.features[t] for t in self._left if t in findings.features]
        if late:
            self._queue.publish_json(healing_batch(f"healing/{iso(now())}", 0, late))


def _holding(batches: Mapping[str, CollectedBatch], lost: set[str]) -> set[str]:
    """Find the messages without which nobody would ask for these tracks again."""
    if not lost:
        return set()
    found = {m for m, b in batches.items() if any(p["track_uri"] in lost for p in b.plays)}
    logger.error(
        "tracks wait and cannot be written down: their messages come again",
        extra={"tracks": len(lost), "messages": len(found)},
    )
    return found


def _report(batches: Collection[CollectedBatch], findings: Findings) -> None:
    metrics.add_metric("TracksEnriched", MetricUnit.Count, findings.learned)
    metrics.add_metric("EnrichMisses", MetricUnit.Count, findings.missed)
    logger.info(
        "enriched",
        extra={
            "batches": len(batches),
            "plays": sum(len(batch.plays) for batch in batches),
            "learned": findings.learned,
            "missed": findings.missed,
            "postponed": findings.postponed,
        },
    )
