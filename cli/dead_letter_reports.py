"""The output of the `plays dlq` commands, as JSON documents and as text."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from cli.dead_letters import NO_REASON, DeadLetter, Group
from cli.local_time import length, local
from cli.output import Document, facts, show, table
from cli.queues import QueueDepth

SHOWN_CHARACTERS = 2_000
"""Most characters of a body that are shown to a person; --json prints all of it."""


class DeadLetters(Document):
    """The dead letters of one queue; `queue` is None for failed polls, which came from no queue.

    `groups` omit messages that are hidden because another reader has received them.
    """

    dead_letter_queue: str
    queue: str | None
    messages: QueueDepth
    groups: tuple[Group, ...] = ()


class DeadLetterList(Document):
    """The dead letters of every queue.

    `total` leaves failed polls out, because the next poll fetches the same plays.
    """

    total: int
    queues: list[DeadLetters]


class PeekedLetters(Document):
    """Dead letters with their bodies: parsed if a body is JSON, else as text."""

    letters: tuple[DeadLetter, ...]


class Replay(Document):
    """How many messages were sent back, and how many dead letters their queues still hold.

    `groups` leave out messages that SQS moved on its own, because the command did not read them.
    """

    replayed: int
    remaining: int
    groups: tuple[Group, ...]


class Kept(Document):
    """How many dead letters were written to `place`, a file or a folder of the archive."""

    place: str
    kept: int
    groups: tuple[Group, ...]


def counted(count: int) -> str:
    """Return a count with its noun, such as `1 dead letter` or `2 dead letters`."""
    return f"{count:,} dead letter{'s' if count != 1 else ''}"


def show_list(found: DeadLetterList) -> None:
    """Print the dead letters for a person."""
    show_groups([each for queue in found.queues for each in queue.groups])
    for queue in found.queues:
        # The totals of SQS are estimates, and another reader may hold messages.
        if (unread := queue.messages.total - sum(each.count for each in queue.groups)) > 0:
            show(f"{counted(unread)} of {queue.dead_letter_queue} cannot be read now")


def show_groups(groups: Sequence[Group]) -> None:
    """Print groups of dead letters for a person."""
    if not groups:
        show(counted(0))
        return
    shown = table("queue", "listener", "reason", numbers=("messages", "oldest"))
    now = datetime.now(UTC)
    for each in groups:
        age = length((now - each.oldest_at).total_seconds())
        texts = (each.queue, each.listener or "–", each.reason or NO_REASON)
        shown.add_row(*texts, f"{each.count:,}", age)
    show(shown)


def show_letters(letters: Sequence[DeadLetter]) -> None:
    """Print dead letters, their logs and their bodies for a person."""
    if not letters:
        show(counted(0))
    for each in letters:
        shown = facts()
        shown.add_row("id", each.id)
        shown.add_row("queue", each.queue)
        shown.add_row("sent", f"{local(each.sent_at)}, received {each.received:,} times")
        for name in ("listener", "origin", "plays"):
            if (value := getattr(each, name)) is not None:
                shown.add_row(name, str(value))
        shown.add_row("reason", each.reason or NO_REASON)
        for line in each.log:
            shown.add_row("log", f"{local(line.at)} {line.log} {line.level} {line.message}")
        body = json.dumps(each.body, ensure_ascii=False)
        more = f" … ({len(body):,} characters)" if len(body) > SHOWN_CHARACTERS else ""
        shown.add_row("body", body[:SHOWN_CHARACTERS] + more)
        show(shown, "")
