"""Publishes messages to SQS."""

from typing import Any

from shared.models import Message


class Queue:
    """One SQS queue to publish to."""

    def __init__(self, sqs: Any, url: str) -> None:
        self._sqs = sqs
        self._url = url

    def publish(self, message: Message) -> None:
        """Send one message; on return SQS has stored it. Fields that are None are left out."""
        self.publish_json(message.model_dump_json(exclude_none=True))

    def publish_json(self, body: str) -> None:
        """Send one message that is already JSON; on return SQS has stored it."""
        # SQS refuses noncharacters, and JSON encoders do not escape them.
        body = body.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)
