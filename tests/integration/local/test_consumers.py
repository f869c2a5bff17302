"""What feeds the functions of a real MiniStack, off and on."""

import io
import json
import time
from uuid import uuid4
from zipfile import ZipFile

import pytest

from infra.local import consumers
from infra.local.aws import LocalAws, client
from infra.local.ports import any_free
from tests.integration.local.conftest import ADMINISTRATOR

TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
HIDDEN_S = 600
LONGER_THAN_A_TAKE_S = 1.5
# Works for as long as each message says, and fails where one says nothing.
CODE = """
import time

def handler(event, context):
    for record in event["Records"]:
        time.sleep(float(record["body"]))
"""


class Consumed:
    """A queue with a function that works for as many seconds as a message says."""

    def __init__(self, aws, name):
        self._sqs = client("sqs", aws)
        self._url = self._sqs.create_queue(
            QueueName=name, Attributes={"VisibilityTimeout": str(HIDDEN_S)}
        )["QueueUrl"]
        role = client("iam", aws).create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST)
        )
        packed = io.BytesIO()
        with ZipFile(packed, "w") as archive:
            archive.writestr("work.py", CODE)
        self._functions = client("lambda", aws)
        self._functions.create_function(
            FunctionName=name,
            Role=role["Role"]["Arn"],
            Runtime="python3.14",
            Handler="work.handler",
            Timeout=60,
            Code={"ZipFile": packed.getvalue()},
        )
        self.mapping = self._functions.create_event_source_mapping(
            EventSourceArn=self._told("QueueArn"), FunctionName=name, BatchSize=1
        )["UUID"]

    def send(self, body):
        self._sqs.send_message(QueueUrl=self._url, MessageBody=body)

    @property
    def is_fed(self):
        return self._functions.get_event_source_mapping(UUID=self.mapping)["State"] == "Enabled"

    @property
    def waiting(self):
        return int(self._told("ApproximateNumberOfMessages"))

    @property
    def in_work(self):
        return int(self._told("ApproximateNumberOfMessagesNotVisible"))

    def _told(self, name):
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
        return answer["Attributes"][name]


@pytest.fixture
def consumed(ministack):
    queue = Consumed(ministack.aws, f"consumed-{uuid4().hex}")
    yield queue
    client("lambda", ministack.aws).delete_event_source_mapping(UUID=queue.mapping)


def never():
    return False


@pytest.fixture
def said():
    return []


def test_what_is_in_work_is_done_and_nothing_more_is_begun(ministack, consumed, said, eventually):
    consumed.send("1")
    eventually(lambda: consumed.in_work == 1, 20)

    consumers.pause(ministack.aws, said.append, never)
    assert consumed.in_work == 0
    consumed.send("0")
    time.sleep(LONGER_THAN_A_TAKE_S)

    assert (consumed.waiting, consumed.in_work) == (1, 0)
    assert said == ["messages in work, or between two attempts: 1; waiting 30 s at most"]
    consumers.resume(ministack.aws)
    eventually(lambda: consumed.waiting + consumed.in_work == 0, 20)


def test_what_takes_too_long_is_told_with_how_long_it_stays_hidden(
    ministack, consumed, said, eventually
):
    consumed.send("nothing")
    eventually(lambda: consumed.in_work == 1, 20)

    consumers.pause(ministack.aws, said.append, never, patience_s=0.2)

    assert said[1:] == ["messages not done: 1; they go on after 10 minutes at most"]
    assert consumed.in_work == 1


def test_whoever_cannot_wait_is_told_what_is_cut_off(ministack, consumed, said, eventually):
    consumed.send("nothing")
    eventually(lambda: consumed.in_work == 1, 20)

    consumers.pause(ministack.aws, said.append, lambda: bool(said), patience_s=600)

    assert said[1:] == ["messages not done: 1; they go on after 10 minutes at most"]


def test_a_server_that_is_gone_does_not_hold_up_a_stop(said):
    consumers.pause(LocalAws(f"http://127.0.0.1:{any_free()}", ADMINISTRATOR), said.append, never)

    [line] = said
    assert line.startswith("cannot wait for what is in work: Could not connect")


def test_where_nothing_is_in_work_nothing_is_said(ministack, consumed, said):
    consumers.pause(ministack.aws, said.append, never)

    assert said == []
    assert not consumed.is_fed
