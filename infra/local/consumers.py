"""The functions that consume queues, switched off before a stop so that none is cut off.

A message that a stop cuts off stays hidden for as long as its queue hides what is in work: 90
minutes for an upload, whether or not anything runs meanwhile.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.aws import LocalAws, client
from infra.local.processes import POLL_S

PATIENCE_S = 30
"""How long a stop waits for what is in work; a batch takes a second, an upload some."""


def resume(aws: LocalAws) -> None:
    """Let the functions take messages, as they are deployed to."""
    for mapping in _mappings(aws):
        _switch(aws, mapping, on=True)


def pause(
    aws: LocalAws,
    say: Callable[[str], None],
    is_hurried: Callable[[], bool],
    patience_s: float = PATIENCE_S,
) -> None:
    """Let the functions take no more messages, and wait until they have done what they took.

    What failed and waits for its next attempt cannot be told from what is in work: both are
    hidden, so it is waited for in vain. A stop that is hurried does not.

    Args:
        aws: Where AWS is, and the key to it.
        say: Told what is waited for, and what is cut off and for how long.
        is_hurried: Whether to wait no longer.
        patience_s: How long to wait at most, seconds.
    """
    try:
        _pause(aws, say, is_hurried, patience_s)
    except (BotoCoreError, ClientError) as error:
        # A stop must not fail with the server that it is about to stop.
        say(f"cannot wait for what is in work: {error}")


def _pause(
    aws: LocalAws, say: Callable[[str], None], is_hurried: Callable[[], bool], patience_s: float
) -> None:
    queues = []
    for mapping in _mappings(aws):
        _switch(aws, mapping, on=False)
        queues.append(_queue_of(aws, mapping))
    deadline = time.monotonic() + patience_s
    is_told = False
    while hidden := {url: count for url in queues if (count := _hidden(aws, url))}:
        count = sum(hidden.values())
        if is_hurried() or time.monotonic() > deadline:
            longest = max(_hides_for_s(aws, url) for url in hidden)
            say(f"messages not done: {count}; they go on after {longest / 60:.0f} minutes at most")
            return
        if not is_told:
            what = "messages in work, or between two attempts"
            say(f"{what}: {count}; waiting {patience_s:.0f} s at most")
            is_told = True
        time.sleep(POLL_S)


def _mappings(aws: LocalAws) -> Iterator[dict[str, Any]]:
    pages = client("lambda", aws).get_paginator("list_event_source_mappings").paginate()
    for page in pages:
        yield from page["EventSourceMappings"]


def _switch(aws: LocalAws, mapping: dict[str, Any], *, on: bool) -> None:
    client("lambda", aws).update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


def _queue_of(aws: LocalAws, mapping: dict[str, Any]) -> str:
    name = mapping["EventSourceArn"].rpartition(":")[2]
    url: str = client("sqs", aws).get_queue_url(QueueName=name)["QueueUrl"]
    return url


def _hidden(aws: LocalAws, url: str) -> int:
    return _attribute(aws, url, "ApproximateNumberOfMessagesNotVisible")


def _hides_for_s(aws: LocalAws, url: str) -> int:
    return _attribute(aws, url, "VisibilityTimeout")


def _attribute(aws: LocalAws, url: str, name: str) -> int:
    told = client("sqs", aws).get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(told["Attributes"][name])
