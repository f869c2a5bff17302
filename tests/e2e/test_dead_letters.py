"""The fourth use: nothing that fails is lost, and one command sends it back."""

import json
from datetime import UTC, datetime

import pytest

from infra.local.sample_history import write_history_zip
from shared.models import Play, PlayBatch

pytestmark = pytest.mark.e2e

POISON = '{"this is": "no batch"}'


def test_what_could_not_be_loaded_waits_as_dead_letters_and_comes_back_whole(
    local_cloud, eventually, tmp_path
):
    export = tmp_path / "export.zip"
    summary = write_history_zip(
        export, plays=2_000, seed=11, until=datetime(2023, 5, 1, tzinfo=UTC)
    )
    batches = -(-summary.music // 500)
    local_cloud.stop_postgres()
    try:
        local_cloud.told("upload", str(export), "--listener", "ben")
        dead = eventually(lambda: all_dead(local_cloud, batches), within_s=90)
        away = local_cloud.plays("status")
    finally:
        local_cloud.start_postgres()

    replay = local_cloud.told("dlq", "replay", "enriched-plays")

    assert away.returncode == 1
    assert away.stderr.startswith("plays: Postgres does not answer: ")
    assert replay["replayed"] >= dead >= batches
    eventually(lambda: loaded_batches(local_cloud, "ben") >= batches, within_s=60)
    assert local_cloud.count("ben") == summary.distinct_plays
    assert dead_letters(local_cloud) == 0
    again = local_cloud.told("upload", str(export), "--listener", "ben", "--wait")
    assert (again["inserted"], again["duplicates"]) == (0, summary.music)
    assert local_cloud.count("ben") == summary.distinct_plays


def test_a_poisoned_message_dies_alone(local_cloud, eventually):
    sqs = local_cloud.client("sqs")
    batch = PlayBatch(
        listener="cleo",
        source="recently-played",
        origin="polls/cleo/made-up.json.gz",
        number=0,
        plays=(
            Play(
                track_uri="spotify:track:7ouMYWpwJ422jRcDASZB7P",
                track_name="Knights of Cydonia",
                artist_name="Muse",
                played_at=datetime(2022, 5, 1, tzinfo=UTC),
            ),
        ),
    )
    sqs.send_message_batch(
        QueueUrl=local_cloud.output("CollectedPlaysQueueUrl"),
        Entries=[
            {"Id": "poison", "MessageBody": POISON},
            {"Id": "good", "MessageBody": batch.model_dump_json(exclude_none=True)},
        ],
    )

    eventually(lambda: local_cloud.count("cleo"), within_s=60)
    (dead,) = eventually(lambda: look(sqs, local_cloud.output("CollectedPlaysDlqUrl")), within_s=60)

    assert dead["Body"] == POISON


def queues(local_cloud):
    """What the status tells of the loader's queues, which it does without Postgres too."""
    told = json.loads(local_cloud.plays("status", "--json").stdout)["queues"]
    return told["spotify-pipeline-enriched-plays"], told["spotify-pipeline-enriched-plays-dlq"]


def dead_letters(local_cloud):
    _, dead = queues(local_cloud)
    return dead["visible"]


def all_dead(local_cloud, wanted):
    """Count the dead letters once there are enough, and nothing is on its way to them."""
    source, dead = queues(local_cloud)
    is_over = dead["visible"] >= wanted and source["visible"] + source["in_flight"] == 0
    return dead["visible"] if is_over else None


def loaded_batches(local_cloud, listener):
    ((batches,),) = local_cloud.rows(
        "SELECT count(*) FROM loaded_batch WHERE listener = :listener", listener=listener
    )
    return batches


def look(sqs, url):
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return received.get("Messages")
