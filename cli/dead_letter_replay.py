"""Sends dead letters back to their queues, or stores them in the archive."""

import time
from pathlib import Path

from pydantic import ValidationError

from cli.dead_letter_queues import Selection
from cli.dead_letters import DeadLetter, Filter
from cli.errors import CommandError, interruptible
from cli.output import count_progress
from cli.queues import QueuePair, depth, name_of, queue_pairs
from cli.target import Target
from shared.archive import DEAD_LETTERS, dead_letter_key

MOVE_CHECK_S = 1
"""Time between two looks at a move."""


class Sender:
    """Sends dead letters back to where they came from.

    A failed poll came from no queue: its listener is polled again, once for all their failed polls.

    Args:
        target: Where the queues are.
        rate: The most messages per second; None for no limit.
    """

    def __init__(self, target: Target, rate: float | None = None) -> None:
        self._target = target
        self._sqs = target.client("sqs")
        self._urls = {pair.name: pair.source_url for pair in queue_pairs(target.outputs)}
        self._pause_s = 1 / rate if rate else 0
        self._polled: set[str | None] = set()

    def send(self, letter: DeadLetter) -> None:
        """Send one dead letter; on return SQS has stored it, or the new poll has succeeded."""
        if url := self._urls[letter.queue]:
            self._sqs.send_message(
                QueueUrl=url, MessageBody=letter.body, MessageAttributes=letter.attributes
            )
        elif letter.listener not in self._polled:
            self._target.call("Collector", {"listener": letter.listener})
            self._polled.add(letter.listener)
        time.sleep(self._pause_s)


def send_back(
    target: Target,
    pairs: list[QueuePair],
    wanted: Filter,
    rate: float | None = None,
    body: str | None = None,
) -> list[DeadLetter]:
    """Send dead letters to their queues; delete each after it is sent.

    Args:
        target: Where the queues are.
        pairs: The queues whose dead letters are sent.
        wanted: Which of the dead letters are sent.
        rate: The most messages per second; None for no limit.
        body: Replaces the body of each dead letter, unless it is None.

    Returns:
        The summaries of the dead letters that were sent.
    """
    sender, sent = Sender(target, rate), []
    with Selection(target, pairs, wanted, "replaying", explains=False) as found:
        for letter in found:
            sender.send(letter.model_copy(update={"body": body}) if body else letter)
            found.delete(letter)
            sent.append(letter.summary())
    return sent


def read_file(file: Path) -> list[DeadLetter]:
    """Read the dead letters in a file that `plays dlq save` wrote.

    Raises:
        CommandError: A line of the file is not a dead letter.
    """
    letters = []
    # Bytes that are no UTF-8 become characters that no dead letter contains, and JSON refuses.
    with file.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                letters.append(DeadLetter.model_validate_json(line))
            except ValidationError:
                raise CommandError(
                    f"line {number} of {file} is not a dead letter: pass a file that "
                    "`plays dlq save` wrote, unchanged"
                ) from None
    return letters


class DeadLetterArchive:
    """Stores dead letters in the archive before they are deleted from SQS."""

    def __init__(self, target: Target) -> None:
        self._s3 = target.client("s3")
        self._bucket = target.output("ArchiveBucket")
        self.place = f"s3://{self._bucket}/{DEAD_LETTERS}"

    def keep(self, letter: DeadLetter) -> None:
        """Store one dead letter; on return S3 has stored it."""
        key = dead_letter_key(letter.listener, letter.queue, letter.sent_at, letter.id)
        body = letter.model_dump_json().encode()
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=body)


def move_all(target: Target, pair: QueuePair) -> int:
    """Let SQS move all dead letters to their queue, and wait until it is done; only in AWS.

    Returns:
        The number moved.

    Raises:
        CommandError: SQS stopped early; the messages that it did not move are still dead letters.
        StoppedError: Ctrl-C was pressed; SQS continues to move the messages.
    """
    sqs, arn = target.client("sqs"), _arn(target, pair.dead_letter_url)
    if not depth(sqs, pair.dead_letter_url).total:
        return 0
    sqs.start_message_move_task(SourceArn=arn, DestinationArn=_arn(target, str(pair.source_url)))
    going_on = "SQS goes on moving the messages; `plays dlq list` shows what is left"
    with interruptible(going_on), count_progress() as progress:
        bar = progress.add_task(f"moving {name_of(pair.dead_letter_url)}", total=None)
        while True:
            (move,) = sqs.list_message_move_tasks(SourceArn=arn, MaxResults=1)["Results"]
            moved = move.get("ApproximateNumberOfMessagesMoved", 0)
            total = move.get("ApproximateNumberOfMessagesToMove")
            progress.update(bar, completed=moved, total=total)
            if move["Status"] == "COMPLETED":
                return int(moved)
            if move["Status"] != "RUNNING":
                why = move.get("FailureReason", move["Status"].lower())
                raise CommandError(
                    f"SQS stopped moving the messages of {pair.name} after {moved:,}: {why}. The "
                    "others are still dead letters: run the command again"
                )
            time.sleep(MOVE_CHECK_S)


def _arn(target: Target, url: str) -> str:
    answer = target.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    arn: str = answer["Attributes"]["QueueArn"]
    return arn
