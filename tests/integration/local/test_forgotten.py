"""What a crash makes MiniStack forget; moto stands in for it, and for Postgres a list."""

import json

import boto3
import pytest
from moto import mock_aws

from infra.local import forgotten
from services.collector.backfill.s3_event import read_event
from shared.archive import upload_origin
from shared.postgres import Address

ARCHIVE = "archive"
NOWHERE = Address("127.0.0.1", 1, "spotify", "reader", "")


@pytest.fixture
def cloud(monkeypatch):
    with mock_aws():
        clients = {name: boto3.client(name) for name in ("s3", "sqs")}
        monkeypatch.setattr(forgotten, "client", lambda service, _: clients[service])
        clients["s3"].create_bucket(
            Bucket=ARCHIVE, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        clients["s3"].put_bucket_versioning(
            Bucket=ARCHIVE, VersioningConfiguration={"Status": "Enabled"}
        )
        clients["url"] = clients["sqs"].create_queue(QueueName="uploads")["QueueUrl"]
        yield clients


@pytest.fixture
def loaded(monkeypatch):
    """The origins that are loaded whole."""
    origins = []

    class Known:
        def run(self, statement):
            assert "reporting.import_result WHERE is_complete" in statement
            return [[origin] for origin in origins]

        def close(self):
            pass

    monkeypatch.setattr(forgotten.Database, "connect", lambda _: Known())
    return origins


def put(cloud, key, body=b"[]"):
    return cloud["s3"].put_object(Bucket=ARCHIVE, Key=key, Body=body)["VersionId"]


def reminded(cloud):
    """What the backfill would read of each event that was sent."""
    forgotten.send_again("http://x", ARCHIVE, cloud["url"], NOWHERE)
    got = cloud["sqs"].receive_message(QueueUrl=cloud["url"], MaxNumberOfMessages=10)
    return [read_event(message["Body"], ARCHIVE) for message in got.get("Messages", [])]


def test_an_upload_that_is_not_loaded_is_told_again_as_the_same_upload(cloud, loaded):
    version = put(cloud, "history/me/a b%.zip", b"PK")

    [upload] = reminded(cloud)

    assert (upload.key, upload.version_id, upload.size) == ("history/me/a b%.zip", version, 2)
    head = cloud["s3"].head_object(Bucket=ARCHIVE, Key="history/me/a b%.zip")
    assert upload.etag == json.loads(head["ETag"])
    assert upload.uploaded_at == head["LastModified"]


def test_what_is_loaded_whole_is_left_alone_and_each_version_is_an_upload(cloud, loaded):
    first, second = (put(cloud, "history/a.zip", body) for body in (b"1", b"2"))
    loaded.append(upload_origin("history/a.zip", first))

    assert [upload.version_id for upload in reminded(cloud)] == [second]


def one_at_a_time(params, **_):
    return {**params, "MaxKeys": 1}


@pytest.mark.parametrize("is_long", [False, True], ids=["one page", "many pages"])
def test_what_was_deleted_and_what_starts_no_backfill_are_left_alone(cloud, loaded, is_long):
    if is_long:
        listing = "provide-client-params.s3.ListObjectVersions"
        cloud["s3"].meta.events.register(listing, one_at_a_time)
    put(cloud, "history/deleted.zip")
    cloud["s3"].delete_object(Bucket=ARCHIVE, Key="history/deleted.zip")
    put(cloud, "history/me/")
    put(cloud, "polls/me/2026/answer.json")
    put(cloud, "history/KEPT.JSON")
    put(cloud, "history/reported.txt")

    assert [upload.key for upload in reminded(cloud)] == [
        "history/KEPT.JSON",
        "history/reported.txt",
    ]
