"""Reads dead letters from SQS, and the reasons of their failures from the functions' logs.

A message that is read stays in its queue, hidden from other readers until the command ends, for at
most `VISIBILITY_TIMEOUT_S`. It is deleted only after it was sent or archived. So a crash at any
point may duplicate a message, which the pipeline tolerates, but never loses one.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Any, Self

from cli.dead_letters import DeadLetter, Filter, read_message
from cli.errors import interruptible
from cli.failure_reasons import FailureReasons
from cli.function_logs import logs_of, read
from cli.output import count_progress
from cli.queues import QueuePair, depth, name_of
from cli.target import Target

RECEIVE_SIZE = 10
"""The most messages that SQS returns at once, or changes in one call."""
VISIBILITY_TIMEOUT_S = 300
"""Longer than it takes to read some thousand messages."""
STOPPED = (
    "the messages that were not handled are still dead letters; those that are hidden can be read "
    f"again within {VISIBILITY_TIMEOUT_S} s"
)
LONG_POLL_S = 2
"""A long poll asks every server of SQS; a short one may miss messages."""
LOG_MARGIN = timedelta(days=1)
"""How much more of a log is read than one message needs, because the next is often older."""
FUNCTIONS = {
    "collected-plays": "enricher",
    "enriched-plays": "loader",
    "uploaded-files": "backfill",
}
"""The function whose failures a queue holds; failed polls carry their reason themselves."""


class Receiver:
    """Receives each message of one queue once, and hides it from other readers meanwhile."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url
        self._handles: dict[str, str] = {}

    def messages(self, count: int) -> Iterator[list[dict[str, Any]]]:
        """Yield lists of at most 10 messages; at most `count` messages in all."""
        seen: set[str] = set()
        while len(seen) < count:
            answer = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(RECEIVE_SIZE, count - len(seen)),
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
                VisibilityTimeout=VISIBILITY_TIMEOUT_S,
                WaitTimeSeconds=LONG_POLL_S,
            )
            received = answer.get("Messages", [])
            self._handles |= {each["MessageId"]: each["ReceiptHandle"] for each in received}
            fresh = [each for each in received if each["MessageId"] not in seen]
            if not fresh:
                return
            seen |= {each["MessageId"] for each in fresh}
            yield fresh

    def delete(self, message_id: str) -> None:
        """Delete a received message."""
        handle = self._handles[message_id]
        self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=handle)
        del self._handles[message_id]

    def release(self) -> None:
        """Make the received messages that were not deleted visible to other readers again.

        A message for which SQS refuses this, for example because another reader has deleted it, is
        skipped.
        """
        handles = list(self._handles.values())
        for at in range(0, len(handles), RECEIVE_SIZE):
            self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                    for number, handle in enumerate(handles[at : at + RECEIVE_SIZE])
                ],
            )


class Selection:
    """The dead letters that match a filter; those not deleted are visible again on exit.

    Args:
        target: Where the queues are.
        pairs: The queues to read.
        wanted: The filter.
        doing: The verb that the progress bars show, such as `replaying`.
        explains: True to read the failure reasons from the logs; a filter by reason always does.

    Raises:
        StoppedError: Ctrl-C was pressed in the block.
    """

    def __init__(
        self,
        target: Target,
        pairs: Iterable[QueuePair],
        wanted: Filter,
        doing: str,
        *,
        explains: bool = True,
    ) -> None:
        self._target = target
        self._sqs = target.client("sqs")
        self._pairs = list(pairs)
        self._wanted = wanted
        self._doing = doing
        self._explains = explains or wanted.reason is not None
        self._receivers: dict[str, Receiver] = {}
        self._progress = count_progress()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.stop()
        with interruptible(STOPPED):
            for receiver in self._receivers.values():
                receiver.release()
            if kind is KeyboardInterrupt:
                raise KeyboardInterrupt

    def __iter__(self) -> Iterator[DeadLetter]:
        now = datetime.now(UTC)
        letters = chain.from_iterable(map(self._letters, self._pairs))
        found = (letter for letter in letters if self._wanted.matches(letter, now))
        return islice(found, self._wanted.most)

    def delete(self, letter: DeadLetter) -> None:
        """Delete a dead letter that was sent or archived."""
        self._receivers[letter.queue].delete(letter.id)

    def _letters(self, pair: QueuePair) -> Iterator[DeadLetter]:
        url = pair.dead_letter_url
        count = depth(self._sqs, url).total
        bar = self._progress.add_task(f"{self._doing} {name_of(url)}", total=count)
        receiver = self._receivers[pair.name] = Receiver(self._sqs, url)
        reasons, since = FailureReasons(()), datetime.max.replace(tzinfo=UTC)
        for messages in receiver.messages(count):
            letters = [read_message(pair.name, message) for message in messages]
            oldest = min(letter.sent_at for letter in letters)
            if self._explains and pair.name in FUNCTIONS and oldest < since:
                since = oldest - LOG_MARGIN
                reasons = FailureReasons(read(logs_of(self._target, FUNCTIONS[pair.name]), since))
            for letter in letters:
                yield reasons.explain(letter)
                self._progress.advance(bar)
