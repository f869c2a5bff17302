"""One SQS message per batch, with moto."""

import json
from datetime import UTC, datetime

import pytest
from botocore.exceptions import ClientError

from shared.models import Play, PlayBatch
from shared.queues import Queue


@pytest.fixture
def queue(cloud):
    return Queue(cloud.sqs, cloud.queue_url)


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


@pytest.mark.parametrize("name", ["\ufffe", "a\uffffb", "\\uffff", "\\\ufffe", "素敵滅法 🎧"])
def test_a_published_batch_is_received_unchanged(queue, cloud, name):
    queue.publish(a_batch(name))

    (body,) = cloud.messages()
    assert not {"\ufffe", "\uffff"} & set(body)
    assert PlayBatch.model_validate_json(body) == a_batch(name)


def test_a_published_play_omits_none_but_keeps_zero_and_false(queue, cloud):
    queue.publish(a_batch())

    (body,) = cloud.messages()
    (play,) = json.loads(body)["plays"]
    assert set(play) == {
        "track_uri", "track_name", "artist_name", "played_at", "ms_played", "shuffle",
    }  # fmt: skip


def test_json_text_is_published_unchanged(queue, cloud):
    queue.publish_json('{"name": "Träumerei"}')

    assert cloud.messages() == ['{"name": "Träumerei"}']


def test_publishing_to_a_missing_queue_raises_an_error(cloud):
    queue = Queue(cloud.sqs, cloud.queue_url + "-gone")

    with pytest.raises(ClientError, match="NonExistentQueue"):
        queue.publish(a_batch())
