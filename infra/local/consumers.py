"""The functions that consume queues, switched off before a stop so that none is cut off.

A message that a stop cuts off stays hidden for as long as its queue hides what is in work: 90
minutes for an upload, whether or not anything runs meanwhile.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.local.aws import client
from infra.local.processes import POLL_S

PATIENCE_S = 30
"""How long a stop waits for what is in work; a batch takes a second, an upload some."""


def resume(endpoint: str) -> None:
    """Let the functions take messages, as they are deployed to."""
    for mapping in _mappings(endpoint):
        _switch(endpoint, mapping, on=True)


def pause(
    endpoint: str,
    say: Callable[[str], None],
    is_hurried: Callable[[], bool],
    patience_s: float = PATIENCE_S,
) -> None:
    """Let the functions take no more messages, and wait until they have done what they took.

    What failed and waits for its next attempt cannot be told from what is in work: both are
    hidden, so it is waited for in vain. A stop that is hurried does not.

    Args:
        endpoint: Where AWS is.
        say: Told what is waited for, and what is cut off and for how long.
        is_hurried: Whether to wait no longer.
        patience_s: How long to wait at most, seconds.
    """
    try:
        _pause(endpoint, say, is_hurried, patience_s)
    except (BotoCoreError, ClientError) as error:
        # A stop must not fail with the server that it is about to stop.
        say(f"cannot wait for what is in work: {error}")


def _pause(
    endpoint: str, say: Callable[[str], None], is_hurried: Callable[[], bool], patience_s: float
) -> None:
    queues = []
    for mapping in _mappings(endpoint):
        _switch(endpoint, mapping, on=False)
        queues.append(_queue_of(endpoint, mapping))
    deadline = time.monotonic() + patience_s
    is_told = False
    while hidden := {url: count for url in queues if (count := _hidden(endpoint, url))}:
        count = sum(hidden.values())
        if is_hurried() or time.monotonic() > deadline:
            longest = max(_hides_for_s(endpoint, url) for url in hidden)
            say(f"messages not done: {count}; they go on after {longest / 60:.0f} minutes at most")
            return
        if not is_told:
            what = "messages in work, or between two attempts"
            say(f"{what}: {count}; waiting {patience_s:.0f} s at most")
            is_told = True
        time.sleep(POLL_S)


def _mappings(endpoint: str) -> Iterator[dict[str, Any]]:
    pages = client("lambda", endpoint).get_paginator("list_event_source_mappings").paginate()
    for page in pages:
        yield from page["EventSourceMappings"]


def _switch(endpoint: str, mapping: dict[str, Any], *, on: bool) -> None:
    client("lambda", endpoint).update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)


def _queue_of(endpoint: str, mapping: dict[str, Any]) -> str:
    name = mapping["EventSourceArn"].rpartition(":")[2]
    url: str = client("sqs", endpoint).get_queue_url(QueueName=name)["QueueUrl"]
    return url


def _hidden(endpoint: str, url: str) -> int:
    return _attribute(endpoint, url, "ApproximateNumberOfMessagesNotVisible")


def _hides_for_s(endpoint: str, url: str) -> int:
    return _attribute(endpoint, url, "VisibilityTimeout")


def _attribute(endpoint: str, url: str, name: str) -> int:
    told = client("sqs", endpoint).get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(told["Attributes"][name])
