"""The queues of a stack, and how many messages they hold."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.errors import CommandError
from cli.output import Document, Instant
from cli.target import Target

AGE_WINDOW = timedelta(minutes=15)
"""Search this period for the age of the oldest message, sent by SQS every 1 to 5 minutes."""


class QueueDepth(Document):
    """Number of messages in one queue, as SQS estimates it."""

    visible: int
    in_flight: int
    oldest_age_s: int | None = None
    """None if the queue is empty or no figure is known yet."""
    retried_within_s: int | None = None
    """Visibility timeout: a message in flight is processed now, or tried again within this time."""
    awaiting_retry: int | None = None
    """Messages in flight whose last attempt failed; None in AWS, because SQS does not say."""
    next_retry_at: Instant | None = None
    """When the first of those is tried again; None if there are none."""

    @property
    def total(self) -> int:
        """All messages, waiting or in flight."""
        return self.visible + self.in_flight


@dataclass(frozen=True)
class QueuePair:
    """A queue and its dead-letter queue; `name` lacks the deployment's prefix."""

    name: str
    source_url: str | None
    """None for polls that failed on every attempt: they come from a schedule, not from a queue."""
    dead_letter_url: str


def name_of(url: str) -> str:
    """Return the name of the queue at a URL."""
    return url.rpartition("/")[2]


def queue_urls(outputs: dict[str, str]) -> dict[str, str]:
    """Return the URL of every queue of a stack by the queue's name."""
    urls = sorted(value for key, value in outputs.items() if key.endswith("Url"))
    return {name_of(url): url for url in urls}


def queue_pairs(outputs: dict[str, str]) -> list[QueuePair]:
    """Pair every queue of a stack with its dead-letter queue.

    For example, the outputs `CollectedPlaysQueueUrl` and `CollectedPlaysDlqUrl` become the pair
    `collected-plays`.
    """
    pairs = [
        QueuePair(_kebab(stem), outputs[f"{stem}QueueUrl"], url)
        for key, url in outputs.items()
        if (stem := key.removesuffix("DlqUrl")) != key
    ]
    if failed_polls := outputs.get("FailedTicksQueueUrl"):
        pairs.append(QueuePair("failed-ticks", None, failed_polls))
    return sorted(pairs, key=lambda pair: pair.name)


def find_pair(pairs: Iterable[QueuePair], wanted: str) -> QueuePair:
    """Find a pair by the name of either queue, with or without the deployment's prefix.

    Raises:
        CommandError: The queue does not exist.
    """
    known = {name: pair for pair in pairs for name in _names(pair)}
    if wanted not in known:
        names = ", ".join(sorted({pair.name for pair in known.values()}))
        raise CommandError(f"there is no queue {wanted!r}: use one of {names}")
    return known[wanted]


def depth(sqs: Any, url: str) -> QueueDepth:
    """Count the messages of one queue; delayed ones count as in flight.

    The age of the oldest message and the messages that await a retry are None in AWS, because only
    queues of the local cloud report them.
    """
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return QueueDepth(
        visible=int(counted["ApproximateNumberOfMessages"]),
        in_flight=int(counted["ApproximateNumberOfMessagesNotVisible"])
        + int(counted.get("ApproximateNumberOfMessagesDelayed", 0)),
        oldest_age_s=counted.get("ApproximateAgeOfOldestMessage"),
        retried_within_s=int(counted["VisibilityTimeout"]),
        awaiting_retry=counted.get("NumberOfMessagesAwaitingRetry"),
        next_retry_at=counted.get("NextRetryTimestamp"),
    )


def depths(target: Target) -> dict[str, QueueDepth]:
    """Count the messages of every queue, with the age of the oldest if it is known."""
    sqs = target.client("sqs")
    urls = queue_urls(target.outputs)
    counted = {name: depth(sqs, url) for name, url in urls.items()}
    if target.state:
        return counted
    ages = oldest_ages(target.client("cloudwatch"), list(urls))
    return {
        name: each.model_copy(update={"oldest_age_s": ages.get(name)})
        for name, each in counted.items()
    }


def oldest_ages(cloudwatch: Any, names: list[str]) -> dict[str, int]:
    """Return the age in seconds of each queue's oldest message, as known to CloudWatch."""
    now = datetime.now(UTC)
    answer = cloudwatch.get_metric_data(
        StartTime=now - AGE_WINDOW,
        EndTime=now,
        MetricDataQueries=[_age_query(f"q{place}", name) for place, name in enumerate(names)],
    )
    return {
        names[int(result["Id"][1:])]: int(result["Values"][0])
        for result in answer["MetricDataResults"]
        if result["Values"]
    }


def _age_query(query_id: str, name: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": name}],
    }
    return {"Id": query_id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}


def _names(pair: QueuePair) -> set[str]:
    urls = [url for url in (pair.source_url, pair.dead_letter_url) if url]
    short = {pair.name, f"{pair.name}-dlq"} if pair.source_url else {pair.name}
    return short | {name_of(url) for url in urls}


def _kebab(words: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", words).lower()
