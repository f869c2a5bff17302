"""One SQS message per batch, with moto."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.models import Play, PlayBatch, PollReport
from shared.queues import Queue


class Inbox:
    """A queue, and its messages."""

    def __init__(self):
        self._sqs = boto3.client("sqs")
        self._url = self._sqs.create_queue(QueueName="collected-plays")["QueueUrl"]
        self.queue = Queue(self._sqs, self._url)

    def bodies(self):
        found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]


@pytest.fixture
def inbox():
    with mock_aws():
        yield Inbox()


def a_batch(name="Paper Boats"):
    play = Play(
        track_uri="spotify:track:a",
        track_name=name,
        artist_name="The Example",
        played_at=datetime(2026, 11, 1, 12, tzinfo=UTC),
        ms_played=0,
        shuffle=False,
    )
    return PlayBatch(
        listener="me", source="recently-played", origin="polls/me/1", number=0, plays=(play,)
    )


def test_a_published_batch_arrives_as_it_was(inbox):
    inbox.queue.publish(a_batch())

    (body,) = inbox.bodies()
    assert PlayBatch.model_validate_json(body) == a_batch()


def test_a_published_report_keeps_its_kind(inbox):
    polled_at = datetime(2026, 11, 1, 12, tzinfo=UTC)
    report = PollReport(polled_at=polled_at, returned=1, new=1, late=0, moved=0)
    batch = a_batch().model_copy(update={"report": report})

    inbox.queue.publish(batch)

    (body,) = inbox.bodies()
    assert PlayBatch.model_validate_json(body) == batch


def test_none_is_left_out_but_zero_and_false_stay(inbox):
    inbox.queue.publish(a_batch())

    (body,) = inbox.bodies()
    (play,) = json.loads(body)["plays"]
    assert set(play) == {
        "track_uri", "track_name", "artist_name", "played_at", "ms_played", "shuffle",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["\ufffe", "a\uffffb", "\\uffff", "\\\ufffe", "素敵滅法 🎧"])
def test_any_name_survives_the_queue(inbox, name):
    inbox.queue.publish(a_batch(name))

    (body,) = inbox.bodies()
    assert not {"\ufffe", "\uffff"} & set(body)
    assert PlayBatch.model_validate_json(body) == a_batch(name)


def test_json_is_sent_unchanged(inbox):
    inbox.queue.publish_json('{"name": "Träumerei"}')

    assert inbox.bodies() == ['{"name": "Träumerei"}']


def test_a_missing_queue_is_an_error():
    with mock_aws():
        queue = Queue(boto3.client("sqs"), "https://sqs.us-east-1.amazonaws.com/1/none")

        with pytest.raises(ClientError, match="NonExistentQueue"):
            queue.publish(a_batch())
