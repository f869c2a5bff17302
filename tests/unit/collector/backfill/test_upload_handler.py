import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from services.collector.backfill import upload_handler
from services.collector.backfill.s3_event import Upload
from services.collector.backfill.upload_handler import BackfillSettings, handler
from shared.archive import Archive
from shared.aws import client
from shared.errors import SettingsError
from shared.models import FileProblem, PlayBatch
from shared.queues import Queue
from tests.unit.collector.backfill.history_examples import a_file, a_row, a_trackless_row, a_zip

CONTEXT = SimpleNamespace(
    function_name="backfill",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:111122223333:function:backfill",
    aws_request_id="1",
    get_remaining_time_in_millis=lambda: 900_000,
)


def a_message(key, version_id, message_id="m1", size=5, bucket="archive", **more):
    event = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-11-20T12:00:00Z",
        "detail": {
            "bucket": {"name": bucket},
            "object": {"key": key, "version-id": version_id, "size": size, **more},
        },
    }
    return {"messageId": message_id, "body": json.dumps(event), "eventSource": "aws:sqs"}


def run(*messages, context=CONTEXT):
    """Return the ids of the failed messages."""
    answer = handler({"Records": list(messages)}, context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def batches(cloud):
    return [PlayBatch.model_validate_json(message) for message in cloud.messages()]


ENVIRONMENT = {"ARCHIVE_BUCKET": "shelf", "COLLECTED_PLAYS_QUEUE_URL": "q", "LISTENERS": "me,jane"}


def test_the_backfill_reads_its_three_settings():
    settings = BackfillSettings.from_environment(ENVIRONMENT)

    assert settings == BackfillSettings(
        archive_bucket="shelf", collected_plays_queue_url="q", listeners="me,jane"
    )
    assert settings.listeners == ("me", "jane")


@pytest.mark.parametrize("listeners", ["", "me,", "Me", "me, jane"])
def test_invalid_listener_names_are_refused(listeners):
    with pytest.raises(SettingsError, match="LISTENERS"):
        BackfillSettings.from_environment({**ENVIRONMENT, "LISTENERS": listeners})


def test_an_upload_becomes_plays_and_a_report(cloud):
    key = "history/jane/my data+ü.zip"
    upload = a_zip({"MyData/endsong_0.json": a_file(a_row(), a_row(), a_trackless_row())})
    version = cloud.upload(key, upload)

    failed = run(a_message(key, version))

    (batch,) = batches(cloud)
    assert failed == []
    assert (batch.listener, batch.source) == ("jane", "extended-history")
    assert batch.origin == f"{key}?versionId={version}"
    assert [play.track_name for play in batch.plays] == ["Paper Boats"] * 2
    assert (batch.report.rows_in, batch.report.published) == (3, 2)
    assert batch.report.files == ("MyData/endsong_0.json",)


def test_a_file_without_a_folder_belongs_to_the_default_listener(cloud):
    version = cloud.upload("history/endsong_0.json", a_file(a_row()))

    run(a_message("history/endsong_0.json", version))

    (batch,) = batches(cloud)
    assert batch.listener == "me"
    assert len(batch.plays) == 1


def test_the_version_of_the_event_is_read(cloud):
    first = cloud.upload("history/endsong.json", a_file(a_row(ms_played=1)))
    cloud.upload("history/endsong.json", a_file(a_row(ms_played=2)))

    run(a_message("history/endsong.json", first))

    (batch,) = batches(cloud)
    assert [play.ms_played for play in batch.plays] == [1]


def test_unreadable_rows_are_kept_in_quarantine(cloud):
    version = cloud.upload("history/endsong.json", a_file(a_row(), a_row(ms_played=-1)))

    run(a_message("history/endsong.json", version))

    kept = json.loads(cloud.read(f"quarantine/me/history/endsong.json?versionId={version}.jsonl"))
    assert (kept["row"], kept["reason"]) == (2, "ms_played negative")
    assert "203.0.113.7" not in json.dumps(kept)


def test_a_good_upload_has_no_quarantine(cloud):
    version = cloud.upload("history/endsong.json", a_file(a_row(), a_trackless_row()))

    run(a_message("history/endsong.json", version))

    assert cloud.keys() == ["history/endsong.json"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not a zip file"), (b"PK\3\4", "a damaged or incomplete zip: download it again")],
)
def test_an_upload_that_cannot_be_read_is_reported(cloud, content, reason):
    version = cloud.upload("history/me/data.zip", content)

    failed = run(a_message("history/me/data.zip", version))

    (batch,) = batches(cloud)
    assert failed == []
    assert batch.plays == ()
    assert batch.report.rows_in == 0
    assert batch.report.problems == (FileProblem(file="data.zip", reason=reason),)


def test_a_deleted_upload_is_reported(cloud):
    failed = run(a_message("history/me/gone.zip", "41e3d3b5-0f71-4f0c-8f5d-6c7f0f0f0f0f"))

    (batch,) = batches(cloud)
    assert failed == []
    assert batch.report.problems == (
        FileProblem(file="gone.zip", reason="deleted before it could be read"),
    )


@pytest.mark.parametrize("folder", ["bob", "Jane Doe", "me ", "", "me\u202e", "x" * 200])
def test_an_upload_for_an_unknown_listener_is_reported(cloud, folder):
    key = f"history/{folder}/endsong.json"
    version = cloud.upload(key, a_file(a_row()))

    failed = run(a_message(key, version))

    (batch,) = batches(cloud)
    assert failed == []
    assert (batch.listener, batch.plays) == ("me", ())
    assert batch.report.problems == (
        FileProblem(
            file="endsong.json",
            reason="its folder is not that of a deployed listener (jane, me): "
            "put it into history/<listener>/, or add the listener with `plays listener add`",
        ),
    )


@pytest.mark.parametrize("key", ["history/endsong.json", "history/me/endsong.json"])
def test_without_a_default_listener_the_first_one_gets_the_report(cloud, key, monkeypatch):
    monkeypatch.setenv("LISTENERS", "zoe,anna")
    version = cloud.upload(key, a_file(a_row()))

    failed = run(a_message(key, version))

    (batch,) = batches(cloud)
    assert failed == []
    assert (batch.listener, batch.plays) == ("zoe", ())
    assert "a deployed listener (zoe, anna)" in batch.report.problems[0].reason


@pytest.mark.parametrize(
    "name", ["README", "data.zip.part", "endsong.json.gz", "json", ".DS_Store"]
)
def test_a_file_without_history_is_not_downloaded(cloud, name):
    fetched = []
    client("s3").meta.events.register("before-call.s3.GetObject", lambda **_: fetched.append(1))
    version = cloud.upload(f"history/jane/{name}", a_file(a_row()))

    failed = run(a_message(f"history/jane/{name}", version))

    (batch,) = batches(cloud)
    assert failed == fetched == []
    assert (batch.listener, batch.plays) == ("jane", ())
    assert batch.report.problems == (
        FileProblem(
            file=name, reason="not a history file: its name ends in neither .zip nor .json"
        ),
    )


@pytest.mark.parametrize("key", ["history/jane/", "history/", "history/jane/old.zip/"])
def test_the_marker_of_a_folder_is_skipped(cloud, key):
    version = cloud.upload(key, b"")

    assert run(a_message(key, version)) == []

    assert cloud.messages() == []


@pytest.mark.parametrize("name", ["ENDSONG.JSON", "endsong.Json"])
def test_the_case_of_a_name_does_not_matter(cloud, name):
    version = cloud.upload(f"history/{name}", a_file(a_row()))

    run(a_message(f"history/{name}", version))

    (batch,) = batches(cloud)
    assert len(batch.plays) == 1


def test_the_longest_key_loads_and_has_a_quarantine(cloud):
    key = f"history/me/{'ü' * 504}.json"
    version = cloud.upload(key, a_file(a_row(), 7))

    failed = run(a_message(key, version))

    (batch,) = batches(cloud)
    (kept,) = set(cloud.keys()) - {key}
    assert len(key.encode()) == 1_024
    assert len(kept.encode()) <= 1_024
    assert failed == []
    assert (batch.origin, len(batch.plays)) == (f"{key}?versionId={version}", 1)
    assert json.loads(cloud.read(kept))["record"] == 7


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("InvalidObjectState", "in an archived storage class"),
        ("InvalidRequest", "S3 cannot decrypt it"),
        ("KMS.DisabledException", "S3 cannot decrypt it"),
        ("AccessDenied", "S3 does not let the backfill read it"),
    ],
)
def test_an_upload_that_s3_refuses_forever_is_reported(cloud, code, reason):
    def refuse(**_):
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    version = cloud.upload("history/endsong.json", a_file(a_row()))
    client("s3").meta.events.register("before-call.s3.GetObject", refuse)

    assert run(a_message("history/endsong.json", version)) == []

    (batch,) = batches(cloud)
    assert batch.report.problems[0].reason.startswith(reason)


def test_a_slow_upload_ends_in_a_report(cloud):
    left = iter([900_000, 90_000, 90_000, 89_999])
    context = SimpleNamespace(
        **vars(CONTEXT) | {"get_remaining_time_in_millis": lambda: next(left)}
    )
    names = [f"Streaming_History_Audio_2024_{n}.json" for n in range(2)]
    version = cloud.upload("history/my.zip", a_zip(dict.fromkeys(names, a_file(a_row()))).read())

    failed = run(a_message("history/my.zip", version), context=context)

    (batch,) = batches(cloud)
    assert failed == []
    assert len(batch.plays) == 1
    assert [problem.file for problem in batch.report.problems] == names[1:]
    assert "reading took too long" in batch.report.problems[0].reason


def test_an_upload_that_does_not_fit_on_the_disk_is_reported(cloud):
    version = cloud.upload("history/endsong.json", a_file(a_row()))

    run(a_message("history/endsong.json", version, size=(1 << 30) + 1))

    (batch,) = batches(cloud)
    assert batch.plays == ()
    assert batch.report.problems == (
        FileProblem(file="endsong.json", reason="larger than 1 GiB: upload it in parts"),
    )


def test_a_message_without_an_event_fails_alone(cloud):
    version = cloud.upload("history/endsong.json", a_file(a_row()))
    poison = {"messageId": "m2", "body": "{}", "eventSource": "aws:sqs"}

    failed = run(poison, a_message("history/endsong.json", version))

    assert failed == ["m2"]
    assert len(batches(cloud)) == 1


def test_a_single_message_may_fail(cloud):
    assert run({"messageId": "m2", "body": "{}", "eventSource": "aws:sqs"}) == ["m2"]


def test_a_failure_of_s3_is_retried_by_the_queue(cloud):
    def slow_down(*args, **options):
        raise ClientError({"Error": {"Code": "SlowDown"}}, "GetObject")

    archive = Archive(SimpleNamespace(get_object=slow_down), cloud.bucket)
    upload = Upload("history/endsong.json", "1", 5, datetime(2026, 11, 20, tzinfo=UTC))

    with pytest.raises(ClientError, match="SlowDown"):
        upload_handler.backfill(
            upload, archive, Queue(cloud.sqs, cloud.queue_url), ["me"], lambda: False
        )

    assert cloud.messages() == []


def test_a_failure_of_sqs_is_retried_by_the_queue(cloud, monkeypatch):
    monkeypatch.setenv("COLLECTED_PLAYS_QUEUE_URL", cloud.queue_url + "-gone")
    version = cloud.upload("history/endsong.json", a_file(a_row()))

    assert run(a_message("history/endsong.json", version)) == ["m1"]


def test_a_repeated_event_publishes_the_same_batches(cloud):
    version = cloud.upload("history/endsong.json", a_file(*[a_row()] * 600))
    message = a_message("history/endsong.json", version)

    run(message)
    first = cloud.messages()
    run(message)

    assert sorted(cloud.messages()) == sorted(first)


def test_noncharacters_pass_the_queue(cloud):
    name = "a\ufffeb\uffffc"
    row = a_row(master_metadata_track_name=name)
    version = cloud.upload("history/endsong.json", a_file(row))

    run(a_message("history/endsong.json", version))

    (message,) = cloud.messages()
    assert set(message).isdisjoint({"\ufffe", "\uffff"})
    assert PlayBatch.model_validate_json(message).plays[0].track_name == name


def test_wire_runs_once(cloud):
    assert upload_handler.wire() is upload_handler.wire()
