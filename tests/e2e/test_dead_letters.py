"""Failed batches become dead letters, and one command replays them."""

import json
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
        listed = local_cloud.run_json("dlq", "list")
    finally:
        local_cloud.start_postgres()

    some = local_cloud.run_json("dlq", "replay", "--origin", sent["origin"], "--most", "1")
    replay = local_cloud.run_json("dlq", "replay", "enriched-plays")

    assert away.returncode == 2
    assert "critical  Postgres is unavailable: " in away.stdout
    reasons = {
        group["reason"]
        for queue in listed["queues"]
        for group in queue["groups"]
        if (group["queue"], group["listener"]) == ("enriched-plays", "ben")
    }
    assert any("DatabaseAwayError" in str(reason) for reason in reasons), reasons
    assert None not in reasons
    assert some["replayed"] == 1
    assert 1 + replay["replayed"] >= len(dead) >= summary.music / 500
    eventually(lambda: loaded_batches(local_cloud, sent["origin"]) == dead, within_s=60)
    assert local_cloud.count("ben") == summary.distinct_plays
    # The schedule kept polling another listener, whose batch may only now become a dead letter.
    eventually(lambda: no_dead_letters(local_cloud), within_s=60)
    again = local_cloud.run_json("upload", str(export), "--listener", "ben", "--wait")
    assert (again["inserted"], again["duplicates"]) == (0, summary.music)
    assert local_cloud.count("ben") == summary.distinct_plays


def test_only_the_invalid_message_becomes_a_dead_letter(
    local_cloud, eventually, tmp_path, monkeypatch
):
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
    (letter,) = local_cloud.run_json("dlq", "peek", "collected-plays")["letters"]
    purged = local_cloud.run_json("dlq", "purge", "--id", dead["MessageId"], "--yes")
    day = f"{letter['sent_at'][:10]}".replace("-", "/")
    key = f"dead-letters/_unknown/collected-plays/{day}/{dead['MessageId']}.json"
    kept = local_cloud.client("s3").get_object(Bucket=local_cloud.output("ArchiveBucket"), Key=key)
    # A corrected copy goes back; its origin is new, so that it is another batch.
    corrected = batch.model_copy(update={"origin": "polls/cleo/corrected.json.gz"})
    editor = tmp_path / "editor.sh"
    editor.write_text(f"#!/bin/sh\ncat > \"$1\" <<'END'\n{corrected.model_dump_json()}\nEND\n")
    editor.chmod(0o700)
    monkeypatch.setenv("EDITOR", str(editor))
    sqs.send_message(QueueUrl=dead_url, MessageBody=POISON)
    (again,) = local_cloud.run_json("dlq", "peek", "collected-plays")["letters"]
    edited = local_cloud.run_json("dlq", "edit", again["id"])

    assert (letter["id"], letter["body"]) == (dead["MessageId"], json.loads(POISON))
    assert letter["reason"].startswith("message does not fit its model: listener: Field required")
    assert {line["log"] for line in letter["log"]} == {"enricher"}
    assert purged["kept"] == 1
    assert json.loads(kept["Body"].read())["body"] == POISON
    assert (edited["replayed"], edited["remaining"]) == (1, 0)
    eventually(lambda: "polls/cleo/corrected.json.gz" in loaded_origins(local_cloud), within_s=60)
    assert local_cloud.count("cleo") == 1


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


def loaded_origins(local_cloud):
    return {origin for (origin,) in local_cloud.rows("SELECT origin FROM loaded_batch")}


def no_dead_letters(local_cloud):
    local_cloud.plays("dlq", "replay", "enriched-plays")
    return local_cloud.run_json("dlq", "list")["total"] == 0


def dead_letters(sqs, url):
    # One call returns all messages, because there are only a few batches.
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return received.get("Messages")
