"""The deployed backfill, from the event of an upload to the queue."""

import json

import pytest
from botocore.exceptions import ClientError

from services.collector.backfill import upload_handler
from services.collector.backfill.upload_handler import BackfillSettings, handler
from shared.aws import client
from shared.errors import SettingsError
from shared.models import FileProblem, PlayBatch
from tests.unit.collector.backfill.history_examples import a_file, a_row, a_trackless_row, a_zip


@pytest.fixture
def backfill(cloud, context):
    """Upload a file and run the backfill for it; return its messages."""

    def run(key, content, *, size=5, version=None):
        version = version or cloud.upload(key, content)
        assert failures(context, a_message(key, version, size)) == []
        return [PlayBatch.model_validate_json(message) for message in cloud.messages()]

    return run


def a_message(key, version, size=5):
    event = {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "time": "2026-11-20T12:00:00Z",
        "detail": {
            "bucket": {"name": "archive"},
            "object": {"key": key, "version-id": version, "size": size},
        },
    }
    return {"messageId": "m1", "body": json.dumps(event), "eventSource": "aws:sqs"}


def failures(context, *messages):
    """Run the handler; return the ids of the failed messages."""
    answer = handler({"Records": list(messages)}, context)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


ENVIRONMENT = {"ARCHIVE_BUCKET": "shelf", "COLLECTED_PLAYS_QUEUE_URL": "q", "LISTENERS": "me,jane"}


def test_the_backfill_reads_bucket_queue_and_listeners_from_the_environment():
    settings = BackfillSettings.from_environment(ENVIRONMENT)

    assert settings == BackfillSettings(
        archive_bucket="shelf", collected_plays_queue_url="q", listeners="me,jane"
    )
    assert settings.listeners == ("me", "jane")


@pytest.mark.parametrize("listeners", ["", "me,", "Me", "me, jane"])
def test_invalid_listener_names_are_refused(listeners):
    with pytest.raises(SettingsError, match="LISTENERS"):
        BackfillSettings.from_environment({**ENVIRONMENT, "LISTENERS": listeners})


def test_an_upload_is_published_as_plays_and_a_report(backfill):
    key = "history/jane/my data+ü.zip"
    upload = a_zip({"MyData/endsong_0.json": a_file(a_row(), a_row(), a_trackless_row())})

    (batch,) = backfill(key, upload)

    assert (batch.listener, batch.source) == ("jane", "extended-history")
    assert batch.origin.startswith(f"{key}?versionId=")
    assert [play.track_name for play in batch.plays] == ["Paper Boats"] * 2
    assert (batch.report.rows_in, batch.report.published) == (3, 2)
    assert batch.report.files == ("MyData/endsong_0.json",)


@pytest.mark.parametrize("name", ["endsong_0.json", "ENDSONG.JSON", "endsong.Json"])
def test_an_upload_outside_a_listener_folder_belongs_to_the_default_listener(backfill, name):
    (batch,) = backfill(f"history/{name}", a_file(a_row()))

    assert (batch.listener, len(batch.plays)) == ("me", 1)


def test_the_object_version_named_in_the_event_is_read(backfill, cloud):
    first = cloud.upload("history/endsong.json", a_file(a_row(ms_played=1)))
    cloud.upload("history/endsong.json", a_file(a_row(ms_played=2)))

    (batch,) = backfill("history/endsong.json", None, version=first)

    assert [play.ms_played for play in batch.plays] == [1]


def test_unreadable_rows_are_stored_in_a_quarantine_object(backfill, cloud):
    (batch,) = backfill("history/endsong.json", a_file(a_row(), a_row(ms_played=-1)))

    kept = json.loads(cloud.read(f"quarantine/me/{batch.origin}.jsonl"))
    assert (kept["row"], kept["reason"]) == (2, "ms_played negative")
    assert "203.0.113.7" not in json.dumps(kept)


def test_an_upload_without_unreadable_rows_stores_no_quarantine_object(backfill, cloud):
    backfill("history/endsong.json", a_file(a_row(), a_trackless_row()))

    assert cloud.keys() == ["history/endsong.json"]


UNKNOWN_LISTENER = (
    "its folder names no deployed listener (known: jane, me): "
    "put it into history/<listener>/, or add the listener with `plays listener add`"
)
OTHER_NAME = "not a history file: its name ends in neither .zip nor .json"


@pytest.mark.parametrize(
    ("key", "content", "options", "reason"),
    [
        (
            "me/data.zip",
            b"",
            {},
            "not a zip file, although its name ends in .zip: download it again",
        ),
        ("me/data.zip", b"PK\3\4", {}, "a damaged or incomplete zip: download it again"),
        ("me/gone.zip", b"", {"version": "41e3d3b5-0f71-4f0c-8f5d-6c7f0f0f0f0f"},
         "deleted before it could be read"),
        ("me/endsong.json", a_file(a_row()), {"size": (1 << 30) + 1},
         "larger than 1 GiB: upload it in parts"),
        *[(f"{folder}/endsong.json", a_file(a_row()), {}, UNKNOWN_LISTENER)
          for folder in ("bob", "Jane Doe", "me ", "", "me\u202e", "x" * 200)],
        *[(f"jane/{name}", a_file(a_row()), {}, OTHER_NAME)
          for name in ("README", "data.zip.part", "endsong.json.gz", "json", ".DS_Store")],
    ],
)  # fmt: skip
def test_an_upload_that_cannot_be_read_is_reported(backfill, key, content, options, reason):
    (batch,) = backfill(f"history/{key}", content, **options)

    folder, _, name = key.rpartition("/")
    assert (batch.listener, batch.plays) == ("jane" if folder == "jane" else "me", ())
    assert batch.report.rows_in == 0
    assert batch.report.problems == (FileProblem(file=name, reason=reason),)


def refuse_to_download(code):
    """Let S3 refuse every download; return the list of the attempts."""
    attempts = []

    def refuse(**_):
        attempts.append(code)
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    client("s3").meta.events.register("before-call.s3.GetObject", refuse)
    return attempts


def test_an_upload_named_neither_zip_nor_json_is_not_downloaded(backfill):
    attempts = refuse_to_download("AccessDenied")

    backfill("history/jane/README", b"")

    assert attempts == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("InvalidObjectState", "in an archived storage class"),
        ("InvalidRequest", "S3 cannot decrypt it"),
        ("KMS.DisabledException", "S3 cannot decrypt it"),
        ("AccessDenied", "S3 does not let the backfill read it"),
    ],
)
def test_an_upload_that_s3_refuses_permanently_is_reported(backfill, code, reason):
    refuse_to_download(code)

    (batch,) = backfill("history/endsong.json", a_file(a_row()))

    assert batch.report.problems[0].reason.startswith(reason)


@pytest.mark.parametrize("key", ["history/endsong.json", "history/me/endsong.json"])
def test_an_upload_for_an_undeployed_listener_me_is_reported_to_the_first_listener(
    backfill, key, monkeypatch
):
    monkeypatch.setenv("LISTENERS", "zoe,anna")

    (batch,) = backfill(key, a_file(a_row()))

    assert (batch.listener, batch.plays) == ("zoe", ())
    assert "names no deployed listener (known: zoe, anna)" in batch.report.problems[0].reason


@pytest.mark.parametrize("key", ["history/jane/", "history/", "history/jane/old.zip/"])
def test_an_s3_folder_marker_is_skipped(backfill, key):
    assert backfill(key, b"") == []


def test_an_upload_with_a_1024_byte_key_is_loaded_and_its_bad_row_quarantined(backfill, cloud):
    key = f"history/me/{'ü' * 504}.json"

    (batch,) = backfill(key, a_file(a_row(), 7))

    (kept,) = set(cloud.keys()) - {key}
    assert len(key.encode()) == 1_024
    assert len(kept.encode()) <= 1_024
    assert (batch.origin.partition("?")[0], len(batch.plays)) == (key, 1)
    assert json.loads(cloud.read(kept))["record"] == 7


def test_an_upload_that_exceeds_the_time_limit_is_reported(backfill, context):
    left = iter([900_000, 90_000, 90_000, 89_999])
    context.get_remaining_time_in_millis = lambda: next(left)
    names = [f"Streaming_History_Audio_2024_{n}.json" for n in range(2)]

    (batch,) = backfill("history/my.zip", a_zip(dict.fromkeys(names, a_file(a_row()))))

    assert len(batch.plays) == 1
    assert [problem.file for problem in batch.report.problems] == names[1:]
    assert "reading took too long" in batch.report.problems[0].reason


POISON = {"messageId": "m2", "body": "{}", "eventSource": "aws:sqs"}


def test_only_the_message_without_an_s3_event_fails(cloud, context):
    version = cloud.upload("history/endsong.json", a_file(a_row()))

    failed = failures(context, POISON, a_message("history/endsong.json", version))

    assert failed == ["m2"]
    assert len(cloud.messages()) == 1


def test_a_failed_message_is_reported_even_if_it_is_the_only_one(cloud, context):
    assert failures(context, POISON) == ["m2"]


def test_a_failed_message_is_logged_with_its_id_and_reason(cloud, context, caplog):
    failures(context, a_message("history/a.zip", "v1") | {"body": "poison"})

    received, failure = caplog.records
    assert vars(received)["message_ids"] == ("m1",)
    assert "not an event of an upload" in str(failure.exc_info[1])


def test_a_failure_of_s3_fails_the_message_so_that_sqs_retries_it(cloud, context):
    refuse_to_download("SlowDown")
    version = cloud.upload("history/endsong.json", a_file(a_row()))

    assert failures(context, a_message("history/endsong.json", version)) == ["m1"]
    assert cloud.messages() == []


def test_a_failure_of_sqs_fails_the_message_so_that_sqs_retries_it(cloud, context, monkeypatch):
    monkeypatch.setenv("COLLECTED_PLAYS_QUEUE_URL", cloud.queue_url + "-gone")
    version = cloud.upload("history/endsong.json", a_file(a_row()))

    assert failures(context, a_message("history/endsong.json", version)) == ["m1"]


def test_the_backfill_is_built_once_per_lambda_container(cloud):
    assert upload_handler.wire() is upload_handler.wire()
