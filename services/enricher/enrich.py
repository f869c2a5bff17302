"""Enriching: batches of plays in, the same with what is known of their tracks out.

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

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from services.enricher.domain.findings import Findings
from services.enricher.domain.join import CollectedBatch, healing_batch, join
from services.enricher.lookup import Lookup
from shared.models import iso
from shared.queues import Queue
from shared.telemetry import logger, metrics


class Enricher:
    """Enriches the batches of an invocation with one look-up for all of them.

    While an upload goes on it makes full calls: two for 40 tracks, however these fall into
    invocations. What is left over, 39 tracks at most, is asked for with what comes next to this
    container, and its features go to the loader alone. It is written down as due, so that healing
    asks for it if nothing comes.

    Args:
        lookup: Knows the cache and the sources.
        queue: Leads to the loader.
        now: Tells the time.
        most_batches: How many an invocation may have.
    """

    def __init__(
        self,
        *,
        lookup: Lookup,
        queue: Queue,
        now: Callable[[], datetime],
        most_batches: int,
    ) -> None:
        self._lookup = lookup
        self._queue = queue
        self._now = now
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
        # What was left over comes first: at the end it would be left over again.
        wanted = dict.fromkeys((*self._left, *tracks))
        findings = self._lookup.find(wanted, until, full_calls=self._goes_on(batches.values()))
        failed = {m for m, batch in batches.items() if not self._publish(m, batch, findings)}
        findings = self._publish_late(findings)
        # Plays come first: a slow cache must not hold them up.
        lost = findings.lost(self._lookup.remember(findings))
        self._left = findings.left
        failed |= _holding(batches, lost)
        _report(batches.values(), findings)
        return [message_id for message_id in batches if message_id in failed]

    def _goes_on(self, batches: Collection[CollectedBatch]) -> bool:
        """Tell whether this is the middle of an upload, though the queue is in no order.

        No origin ends here, and as many batches came as an invocation may have.
        """
        is_full = len(batches) == self._most_batches > 1
        return is_full and not any(batch.report for batch in batches)

    def _publish(self, message_id: str, batch: CollectedBatch, findings: Findings) -> bool:
        return self._send(join(batch, findings.features), id=message_id, origin=batch.origin)

    def _publish_late(self, findings: Findings) -> Findings:
        """Publish what was learnt of what was left over: its plays were published before.

        Where it cannot be published it must not be remembered: they stay due.
        """
        late = [t for t in self._left if t in findings.features and t in findings.entries]
        if not late:
            return findings
        origin = f"late/{iso(self._now())}"
        features = (findings.features[track] for track in late)
        is_sent = self._send(healing_batch(origin, 0, features), origin=origin)
        return findings if is_sent else findings.without(late)

    def _send(self, body: str, **about: str) -> bool:
        try:
            self._queue.publish_json(body)
        except (BotoCoreError, ClientError) as error:
            logger.error("batch cannot be published", extra={**about, "error": str(error)})
            return False
        return True


def _holding(batches: Mapping[str, CollectedBatch], lost: set[str]) -> set[str]:
    """Find the messages without which nobody would ask for these tracks again."""
    found = {m for m, b in batches.items() if any(p["track_uri"] in lost for p in b.plays)}
    if found:
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
            "left": len(findings.left),
        },
    )
