"""Failed batches become dead letters, and one command replays them."""

from datetime import UTC, datetime

import pytest

from infra.local.sample_history import write_history_zip
from shared.models import EnrichedBatch, Play, PlayBatch

pytestmark = pytest.mark.e2e

POISON = '{"this is": "no batch"}'


def test_batches_that_failed_to_load_are_dead_lettered_and_replayed(
    local_cloud, eventually, tmp_path
):
    export = tmp_path / "export.zip"
    summary = write_history_zip(
        export, plays=2_000, seed=11, until=datetime(2023, 5, 1, tzinfo=UTC)
    )
    local_cloud.stop_postgres()
    try:
        (sent,) = local_cloud.run_json("upload", str(export), "--listener", "ben")["uploads"]
        dead = eventually(lambda: dead_batches(local_cloud, sent["origin"]), within_s=90)
        away = local_cloud.plays("status")
    finally:
        local_cloud.start_postgres()

    replay = local_cloud.run_json("dlq", "replay", "enriched-plays")

    assert away.returncode == 2
    assert "critical  Postgres is unavailable: " in away.stdout
    assert replay["replayed"] >= len(dead) >= summary.music / 500
    eventually(lambda: loaded_batches(local_cloud, sent["origin"]) == dead, within_s=60)
    assert local_cloud.count("ben") == summary.distinct_plays
    # The schedule kept polling another listener, whose batch may only now become a dead letter.
    eventually(lambda: no_dead_letters(local_cloud), within_s=60)
    again = local_cloud.run_json("upload", str(export), "--listener", "ben", "--wait")
    assert (again["inserted"], again["duplicates"]) == (0, summary.music)
    assert local_cloud.count("ben") == summary.distinct_plays


def test_only_the_invalid_message_becomes_a_dead_letter(local_cloud, eventually):
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
    dead_url = local_cloud.output("CollectedPlaysDlqUrl")
    (dead,) = eventually(lambda: dead_letters(sqs, dead_url), within_s=60)
    sqs.delete_message(QueueUrl=dead_url, ReceiptHandle=dead["ReceiptHandle"])

    assert dead["Body"] == POISON


def dead_batches(local_cloud, origin):
    """Return an upload's batch numbers once all are dead letters, else None."""
    letters = (
        dead_letters(local_cloud.client("sqs"), local_cloud.output("EnrichedPlaysDlqUrl")) or []
    )
    batches = [EnrichedBatch.model_validate_json(letter["Body"]) for letter in letters]
    ours = {batch.number: batch.report for batch in batches if batch.origin == origin}
    reports = [report for report in ours.values() if report]
    return set(ours) if reports and len(ours) == reports[0].batches else None


def loaded_batches(local_cloud, origin):
    numbers = local_cloud.rows(
        "SELECT number FROM loaded_batch WHERE origin = :origin", origin=origin
    )
    return {number for (number,) in numbers}


def no_dead_letters(local_cloud):
    local_cloud.plays("dlq", "replay", "enriched-plays")
    return local_cloud.run_json("dlq", "list")["total"] == 0


def dead_letters(sqs, url):
    # One call returns all messages, because there are only a few batches.
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return received.get("Messages")
