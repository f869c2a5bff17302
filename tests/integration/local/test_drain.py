"""What happens to messages that functions of a real MiniStack process while it stops."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from cli.queues import depth
from infra.local.aws import client
from infra.local.deploy import enable_consumers
from tests.integration.local.conftest import create_function

HIDDEN_S = 600
SHORT_S, LONG_S = "1", "50"
# Runs for as many seconds as each message says.
CODE = """
import time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(float(record["body"]))
"""


class Consumed:
    """A queue with a function that runs for as many seconds as a message says."""

    def __init__(self, aws, name):
        self._sqs = client("sqs", aws)
        self._url = self._sqs.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(HIDDEN_S)}
        )["QueueUrl"]
        create_function(aws, name, CODE)
        self.mapping = client("lambda", aws).create_event_source_mapping(
            EventSourceArn=self._attribute("QueueArn"), FunctionName=name, BatchSize=1
        )["UUID"]

    def send(self, body):
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    def receive(self):
        (message,) = self._sqs.receive_message(QueueUrl=self._url, AttributeNames=["All"])[
            "Messages"
        ]
        return message["Body"], message["Attributes"]["ApproximateReceiveCount"]

    @property
    def depth(self):
        return depth(self._sqs, self._url)

    @property
    def visible(self):
        return int(self._attribute("ApproximateNumberOfMessages"))

    @property
    def in_flight(self):
        return int(self._attribute("ApproximateNumberOfMessagesNotVisible"))

    def _attribute(self, name):
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return answer["Attributes"][name]


@pytest.fixture
def consumed(ministack):
    queue = Consumed(ministack.aws, f"consumed-{uuid4().hex}")
    yield queue
    client("lambda", ministack.aws).delete_event_source_mapping(UUID=queue.mapping)


def test_a_message_whose_attempt_failed_counts_as_awaiting_a_retry(consumed, eventually):
    consumed.send(LONG_S)
    eventually(lambda: consumed.in_flight == 1, 20)
    consumed.send("not a number")

    failed = eventually(lambda: consumed.depth.awaiting_retry and consumed.depth, 20)

    assert (failed.visible, failed.in_flight, failed.awaiting_retry) == (0, 2, 1)
    wait = failed.next_retry_at - datetime.now(UTC)
    assert HIDDEN_S / 2 < wait.total_seconds() <= HIDDEN_S


def test_stopping_the_cloud_lets_a_running_function_finish(ministack, consumed, eventually):
    consumed.send(SHORT_S)
    eventually(lambda: consumed.in_flight == 1, 20)

    ministack.restart()

    assert (consumed.visible, consumed.in_flight) == (0, 0)


def test_a_message_of_an_interrupted_function_is_visible_after_a_restart(
    ministack, consumed, eventually
):
    consumed.send(LONG_S)
    eventually(lambda: consumed.in_flight == 1, 20)

    ministack.restart()

    assert (consumed.visible, consumed.in_flight) == (1, 0)
    # The interrupted attempt does not count.
    assert consumed.receive() == (LONG_S, "1")


def test_after_a_restart_functions_get_no_messages_until_consumers_are_enabled(
    ministack, consumed, eventually
):
    ministack.restart()
    functions = client("lambda", ministack.aws)
    state = functions.get_event_source_mapping(UUID=consumed.mapping)["State"]

    enable_consumers(ministack.aws)
    consumed.send("0")

    assert state == "Disabled"
    eventually(lambda: consumed.visible + consumed.in_flight == 0, 20)
