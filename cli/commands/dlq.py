"""`plays dlq`: list and replay dead letters."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from cli.errors import BadResultError, interruptible
from cli.options import JsonOption, target_of
from cli.output import Document, count_progress, emit, show, table
from cli.queues import QueueDepth, depth, depths, find_pair, name_of, queue_pairs
from cli.target import Target

app = typer.Typer(
    no_args_is_help=True,
    help="List dead letters (messages that failed) and replay them.",
)

RECEIVE_SIZE = 10
"""The most messages that SQS returns at once."""

VISIBILITY_TIMEOUT_S = 30
"""Longer than it takes to send and delete the received messages."""

LONG_POLL_S = 2
"""A long poll asks every server of SQS; a short one may miss messages."""


class DeadLetters(Document):
    """The dead letters of one queue; `queue` is None for failed polls, which came from no queue."""

    dead_letter_queue: str
    queue: str | None
    messages: QueueDepth


class DeadLetterList(Document):
    """The dead letters of every queue; `total` counts those that can be replayed."""

    total: int
    queues: list[DeadLetters]


class Replay(Document):
    """One replay: the messages sent back to their queue, and the dead letters left."""

    queue: str
    dead_letter_queue: str
    replayed: int
    remaining: int


@app.command("list")
def list_(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the dead letters of each queue."""
    found = fetch_list(target_of(context))
    emit(found) if as_json else show_list(found)


@app.command()
def replay(
    context: typer.Context,
    queue: Annotated[
        str,
        typer.Argument(
            metavar="QUEUE", help="As in `plays dlq list`: collected-plays, enriched-plays…"
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Send the dead letters of a queue back to it.

    Each is deleted only after it is sent, so Ctrl-C loses none, and a message sent twice changes
    nothing. The command sends as many as there are at its start, so that a message that fails again
    is not sent in a loop. The exit code is 1 if there are dead letters but none was available.
    """
    target = target_of(context)
    pair = find_pair(queue_pairs(target.outputs), queue)
    sqs = target.client("sqs")
    source, dead = str(pair.source_url), pair.dead_letter_url
    count = depth(sqs, dead).total
    with (
        interruptible(
            "the remaining messages are still dead letters; run it again after "
            f"{VISIBILITY_TIMEOUT_S} s"
        ),
        count_progress() as progress,
    ):
        task = progress.add_task(f"replaying {name_of(dead)}", total=count)
        replayed = send_back(sqs, dead, source, count, lambda: progress.advance(task))
    result = Replay(
        queue=name_of(source),
        dead_letter_queue=name_of(dead),
        replayed=replayed,
        remaining=depth(sqs, dead).total,
    )
    emit(result) if as_json else show(_line(result))
    if result.remaining and not result.replayed:
        raise BadResultError(
            f"none of the {result.remaining:,} dead letters is available, because another reader "
            f"has received them: run it again after {VISIBILITY_TIMEOUT_S} s"
        )


def send_back(
    sqs: Any, dead: str, source: str, count: int, on_sent: Callable[[], object] = lambda: None
) -> int:
    """Send dead letters back to their queue: receive, send, then delete each.

    Args:
        sqs: Client.
        dead: URL of the dead-letter queue.
        source: URL of the queue that they came from.
        count: Maximum number of messages to send.
        on_sent: Called after each message.

    Returns:
        The number sent; less than `count` if another reader took some.
    """
    sent = 0
    while messages := _receive(sqs, dead, min(RECEIVE_SIZE, count - sent)):
        for message in messages:
            sqs.send_message(
                QueueUrl=source,
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
            )
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            sent += 1
            on_sent()
    return sent


def _receive(sqs: Any, dead: str, count: int) -> list[dict[str, Any]]:
    if not count:
        return []
    answer = sqs.receive_message(
        QueueUrl=dead,
        MaxNumberOfMessages=count,
        MessageAttributeNames=["All"],
        VisibilityTimeout=VISIBILITY_TIMEOUT_S,
        WaitTimeSeconds=LONG_POLL_S,
    )
    received: list[dict[str, Any]] = answer.get("Messages", [])
    return received


def fetch_list(target: Target) -> DeadLetterList:
    """Count the dead letters of every queue."""
    counted = depths(target)
    queues = [
        DeadLetters(
            dead_letter_queue=name_of(pair.dead_letter_url),
            queue=name_of(pair.source_url) if pair.source_url else None,
            messages=counted[name_of(pair.dead_letter_url)],
        )
        for pair in queue_pairs(target.outputs)
    ]
    total = sum(queue.messages.total for queue in queues if queue.queue)
    return DeadLetterList(total=total, queues=queues)


def show_list(found: DeadLetterList) -> None:
    """Print the dead letters for a person."""
    shown = table("dead letters of", numbers=("waiting", "in flight"))
    for letters in found.queues:
        name = letters.queue or f"{letters.dead_letter_queue} (cannot be replayed)"
        shown.add_row(name, f"{letters.messages.visible:,}", f"{letters.messages.in_flight:,}")
    show(shown)


def _line(result: Replay) -> str:
    left = f"; {result.remaining:,} remain" if result.remaining else ""
    return f"{result.replayed:,} messages sent back to {result.queue}{left}"
