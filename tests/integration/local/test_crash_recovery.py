"""The uploads that a crash of AWS may have lost; moto stands in for S3."""

import boto3
import pytest
from moto import mock_aws

from infra.local import crash_recovery
from infra.local.aws import LocalAws
from infra.local.crash_recovery import incomplete_uploads
from shared.archive import upload_origin

ARCHIVE = "archive"
REPORT = """
INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, quarantined,
                           files, problems)
VALUES (:origin, 'me', 0, 0, 0, '{}', '{}', '[]', '[]')
"""


@pytest.fixture
def s3(monkeypatch):
    with mock_aws():
        s3 = boto3.client("s3")
        monkeypatch.setattr(crash_recovery, "client", lambda *_: s3)
        s3.create_bucket(
            Bucket=ARCHIVE, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        s3.put_bucket_versioning(Bucket=ARCHIVE, VersioningConfiguration={"Status": "Enabled"})
        yield s3


@pytest.fixture
def incomplete(s3, database, address_of):
    return lambda: incomplete_uploads(
        LocalAws("http://127.0.0.1:1", "AKIA"), ARCHIVE, address_of("reader")
    )


@pytest.fixture
def report(owner):
    """Store the report on an upload of no plays, so that it is loaded completely."""

    def store(key, version):
        owner.run(REPORT, origin=upload_origin(key, version))

    return store


def put(s3, key, body=b"[]"):
    return s3.put_object(Bucket=ARCHIVE, Key=key, Body=body)["VersionId"]


def test_an_upload_without_a_report_is_incomplete(s3, incomplete):
    put(s3, "history/me/a b%.zip")

    assert incomplete() == ["history/me/a b%.zip"]


def test_a_newer_upload_without_a_report_makes_its_key_incomplete(s3, incomplete, report):
    report("history/a.zip", put(s3, "history/a.zip", b"1"))
    assert incomplete() == []

    put(s3, "history/a.zip", b"2")

    assert incomplete() == ["history/a.zip"]


def test_deleted_uploads_folders_and_polls_are_not_incomplete_uploads(s3, incomplete):
    put(s3, "history/deleted.zip")
    s3.delete_object(Bucket=ARCHIVE, Key="history/deleted.zip")
    put(s3, "history/me/")
    put(s3, "polls/me/2026/answer.json")

    assert incomplete() == []
