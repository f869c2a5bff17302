"""Enrich batches of plays with the known features of their tracks.

Plays never wait for features, and no pending track is forgotten. One rule ensures both: publish
first, then write the pending tracks to the track cache, where healing finds them. If the cache
cannot be read or written, the messages of these tracks go back to the queue, and SQS retries them.
Publishing a batch twice changes nothing: the loader identifies a batch by its origin and number,
and loads each play once.

If the cache is unavailable for all attempts of a message, about an hour, the message becomes a dead
letter. Its plays were loaded long before; a replay brings their features. If the cache lacks a
track whose features were published, a source is asked for them once more, and nothing is lost.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from services.enricher.cache.table import TrackCacheError
from services.enricher.domain.findings import Findings
from services.enricher.domain.join import CollectedBatch, join
from services.enricher.lookup import Lookup
from shared.queues import Queue
from shared.telemetry import logger, metrics


class Enricher:
    """Adds features to all batches of an invocation, after one look-up of all their tracks.

    Args:
        lookup: Looks features up in the cache and at the sources.
        queue: The queue to the loader.
    """

    def __init__(self, *, lookup: Lookup, queue: Queue) -> None:
        self._lookup = lookup
        self._queue = queue

    def enrich(self, batches: Mapping[str, CollectedBatch], until: datetime) -> list[str]:
        """Publish each batch with the known features of its tracks.

        Args:
            batches: The collected batches by SQS message id.
            until: When to stop asking for features.

        Returns:
            The ids of the failed messages: they could not be published, or the cache lacks
            some of their pending tracks.
        """
        plays = (play for batch in batches.values() for play in batch.plays)
        tracks = dict.fromkeys(play["track_uri"] for play in plays)
        findings, unsaved = self._find(tracks, until)
        features = findings.features
        failed = {m for m, batch in batches.items() if not self._publish(m, join(batch, features))}
        # Plays come first: a slow cache must not delay them.
        unsaved |= self._save(findings)
        failed |= {m for m, batch in batches.items() if unsaved and _holds(batch, unsaved)}
        _report(batches.values(), findings)
        return [message_id for message_id in batches if message_id in failed]

    def _find(self, tracks: Iterable[str], until: datetime) -> tuple[Findings, set[str]]:
        """Look tracks up; return what was found, and all tracks if the cache cannot be read."""
        try:
            return self._lookup.find(tracks, until), set()
        except TrackCacheError as error:
            logger.error("tracks cannot be looked up", extra={"error": str(error)})
            return Findings(), set(tracks)

    def _save(self, findings: Findings) -> set[str]:
        """Write the findings to the cache; return the pending tracks if that fails."""
        try:
            self._lookup.save(findings)
        except TrackCacheError as error:
            logger.error("findings cannot be saved", extra={"error": str(error)})
            return findings.pending
        return set()

    def _publish(self, message_id: str, batch: CollectedBatch) -> bool:
        try:
            self._queue.publish(batch)
        except (BotoCoreError, ClientError) as error:
            facts = {"id": message_id, "origin": batch.origin, "error": str(error)}
            logger.error("batch cannot be published", extra=facts)
            return False
        return True


def _holds(batch: CollectedBatch, tracks: set[str]) -> bool:
    return any(play["track_uri"] in tracks for play in batch.plays)


def _report(batches: Collection[CollectedBatch], findings: Findings) -> None:
    counts = findings.counts
    metrics.add_metric("TracksEnriched", MetricUnit.Count, counts["learned"])
    metrics.add_metric("EnrichMisses", MetricUnit.Count, counts["missed"])
    plays = sum(len(batch.plays) for batch in batches)
    logger.info("enriched", extra={"batches": len(batches), "plays": plays, **counts})
