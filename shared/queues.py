"""Publishing to a queue: one message per batch."""

from typing import Any

from shared.models import Message


class Queue:
    """The sending end of one SQS queue."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def publish(self, message: Message) -> None:
        """Send one message; it is durable when this returns.

        Fields that are None are left out: readers know them by their defaults.
        """
        self.publish_json(message.model_dump_json(exclude_none=True))

    def publish_json(self, body: str) -> None:
        """Send one message that is already JSON; it is durable when this returns."""
        # SQS refuses a body with a noncharacter, and JSON escapes none of them by itself.
        body = body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)
