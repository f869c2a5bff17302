"""`plays dlq`: dead letters, seen and sent back."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from cli.errors import CommandError, interruptible
from cli.options import JsonOption, target_of
from cli.output import Document, count_progress, emit, show, table
from cli.queues import QueueDepth, depth, depths, find_pair, name_of, queue_pairs
from cli.target import Target

app = typer.Typer(
    no_args_is_help=True, help="See the messages that were given up, and send them back."
)

RECEIVE_SIZE = 10
"""The most that SQS hands over at once."""

HELD_S = 120
"""How long received messages stay hidden: longer than it takes to send and delete them."""

LOOK_S = 2
"""How long one look waits; a long poll asks every server of SQS, a short one may miss some."""


_Received = dict[str, Any]
"""A message as SQS hands it over."""


class DeadLetters(Document):
    """The dead letters of one queue; `queue` is None where they came from no queue."""

    dead_letter_queue: str
    queue: str | None
    messages: QueueDepth


class DeadLetterList(Document):
    """The dead letters of every queue; `total` counts those that can be sent back."""

    total: int
    queues: list[DeadLetters]


class Replay(Document):
    """One replay: messages sent back to their queue, and those still dead when it ended."""

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
            metavar="QUEUE", help="As `plays dlq list` shows it: collected-plays, enriched-plays…"
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Send the dead letters of a queue back to it, each deleted only once it is sent.

    Takes as many as there were at the start, so that one that dies again does not go round in
    circles. Stopped half-way it loses nothing: run it again. A message sent twice changes
    nothing either. The exit code is 1 where there are dead letters and none could be had.
    """
    target = target_of(context)
    pair = find_pair(queue_pairs(target.outputs), queue)
    sqs = target.client("sqs")
    source, dead = str(pair.source_url), pair.dead_letter_url
    there = depth(sqs, dead).total
    with (
        interruptible("what was not sent back is dead letters still; run it again"),
        count_progress() as progress,
    ):
        task = progress.add_task(f"replaying {name_of(dead)}", total=there)
        replayed = send_back(sqs, dead, source, there, lambda: progress.advance(task))
    result = Replay(
        queue=name_of(source),
        dead_letter_queue=name_of(dead),
        replayed=replayed,
        remaining=depth(sqs, dead).total,
    )
    emit(result) if as_json else show(_told(result))
    if result.remaining and not result.replayed:
        raise CommandError(
            f"none of the {result.remaining:,} dead letters could be had: somebody else holds "
            f"them, for {HELD_S} s if it is another replay; run it again then"
        )


def send_back(
    sqs: Any, dead: str, source: str, count: int, sent: Callable[[], object] = lambda: None
) -> int:
    """Send dead letters back to their queue: receive, send, delete, in that order.

    Args:
        sqs: Client.
        dead: URL of the dead letters.
        source: URL of the queue that they came from.
        count: Most messages to send.
        sent: Called after each.

    Returns:
        How many were sent; fewer than `count` where somebody else took some.
    """
    ours: set[str] = set()
    again: list[_Received] = []

    def passed_on(new_id: str) -> None:
        ours.add(new_id)
        sent()

    try:
        while len(ours) < count:
            messages = _receive(sqs, dead, min(RECEIVE_SIZE, count - len(ours)))
            if not messages:
                break
            # A message that we sent and that died again has the id of our sending.
            again += [message for message in messages if message["MessageId"] in ours]
            fresh = [message for message in messages if message["MessageId"] not in ours]
            _pass_on(sqs, fresh, dead, source, passed_on)
    finally:
        _release(sqs, dead, again)
    return len(ours)


def _receive(sqs: Any, dead: str, count: int) -> list[_Received]:
    answer = sqs.receive_message(
        QueueUrl=dead,
        MaxNumberOfMessages=count,
        MessageAttributeNames=["All"],
        VisibilityTimeout=HELD_S,
        WaitTimeSeconds=LOOK_S,
    )
    received: list[_Received] = answer.get("Messages", [])
    return received


def _pass_on(
    sqs: Any,
    messages: list[_Received],
    dead: str,
    source: str,
    passed_on: Callable[[str], None],
) -> None:
    """Send and delete one after the other; each sending's id is told."""
    held = deque(messages)
    try:
        while held:
            message = held[0]
            sending = sqs.send_message(
                QueueUrl=source,
                MessageBody=message["Body"],
                MessageAttributes=message.get("MessageAttributes", {}),
            )
            sqs.delete_message(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"])
            held.popleft()
            passed_on(sending["MessageId"])
    finally:
        _release(sqs, dead, held)


def _release(sqs: Any, dead: str, messages: Iterable[_Received]) -> None:
    """Let others see messages again at once, not only when they are no longer held."""
    for message in messages:
        sqs.change_message_visibility(
            QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )


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
    shown = table("dead letters of", numbers=("waiting", "held"))
    for letters in found.queues:
        name = letters.queue or f"{letters.dead_letter_queue} (no queue to go back to)"
        shown.add_row(name, f"{letters.messages.visible:,}", f"{letters.messages.in_flight:,}")
    show(shown)


def _told(result: Replay) -> str:
    left = f"; {result.remaining:,} are there still" if result.remaining else ""
    return f"{result.replayed:,} messages sent back to {result.queue}{left}"
