"""Keys and objects of the archive, with moto."""

import gzip
import hashlib
import io
from datetime import UTC, datetime, timedelta, timezone

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.archive import (
    KEY_BYTES,
    Archive,
    listener_of,
    poll_key,
    quarantine_key,
    upload_key,
    upload_origin,
)
from shared.models import PlayBatch

KEY = "history/jane/my data+ü.zip"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Shelf:
    """A versioned bucket."""

    def __init__(self):
        self.s3 = boto3.client("s3")
        self.s3.create_bucket(Bucket="shelf")
        self.s3.put_bucket_versioning(Bucket="shelf", VersioningConfiguration={"Status": "Enabled"})
        self.archive = Archive(self.s3, "shelf")

    def put(self, content):
        return self.s3.put_object(Bucket="shelf", Key=KEY, Body=content)["VersionId"]

    def read(self, key):
        return self.s3.get_object(Bucket="shelf", Key=key)["Body"].read()

    def fetch(self, version_id):
        into = io.BytesIO()
        self.archive.fetch(KEY, version_id, into)
        return into.getvalue()


@pytest.fixture
def shelf():
    with mock_aws():
        yield Shelf()


@pytest.mark.parametrize(
    "polled_at",
    [
        datetime(2026, 11, 1, 0, 30, 0, 7_000, tzinfo=UTC),
        datetime(2026, 10, 31, 22, 30, 0, 7_000, tzinfo=timezone(timedelta(hours=-2))),
    ],
    ids=["UTC", "another zone"],
)
def test_the_key_of_a_poll_has_its_day_in_utc(polled_at):
    assert poll_key("me", polled_at) == "polls/me/2026/11/01/2026-11-01T00:30:00.007Z.json.gz"


def test_the_quarantine_key_holds_the_origin():
    assert quarantine_key("jane", "history/jane/a.zip?versionId=1") == (
        "quarantine/jane/history/jane/a.zip?versionId=1.jsonl"
    )


def test_a_long_origin_is_replaced_by_its_digest():
    fitting, long = "ü" * 502, "ü" * 503

    assert quarantine_key("me", fitting) == f"quarantine/me/{fitting}.jsonl"
    assert quarantine_key("me", long) == (
        f"quarantine/me/{hashlib.sha256(long.encode()).hexdigest()}.jsonl"
    )


def test_an_origin_has_no_nul_character():
    assert upload_origin("a\0.zip", "1") == "a\ufffd.zip?versionId=1"


@pytest.mark.parametrize("letter", ["\0", "ü", "\1"])
def test_the_origin_of_the_longest_key_fits_into_a_message(letter):
    key = "history/" + letter * ((KEY_BYTES - 8) // len(letter.encode()))
    origin = upload_origin(key, "v" * 32)

    assert PlayBatch(listener="me", source="extended-history", origin=origin, number=0)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("my data+ü.zip", "history/jane/my data+ü.zip"),
        ("x.jSON", "history/jane/x.json"),
        ("A.B.ZIP", "history/jane/A.B.zip"),
    ],
)
def test_an_upload_key_has_listener_and_lower_case_suffix(name, key):
    assert upload_key("jane", name) == key


def test_the_same_key_uploaded_again_is_another_origin():
    assert upload_origin("a.zip", "v1") != upload_origin("a.zip", "v2")


def test_a_version_is_escaped_in_the_origin():
    assert upload_origin("a.zip", "x&y=z?") == "a.zip?versionId=x%26y%3Dz%3F"


@pytest.mark.parametrize(
    ("key", "listener"),
    [
        ("history/jane/a.zip", "jane"),
        ("history/jane/2024/a.zip", "jane"),
        ("history/a.zip", "me"),
        ("a.zip", "me"),
    ],
)
def test_the_folder_names_the_listener(key, listener):
    assert listener_of(key) == listener


def test_an_answer_is_stored_compressed(shelf):
    answer = b'{"items": [' + b'{"played_at": "now"},' * 500 + b"{}]}"

    shelf.archive.keep_poll("polls/me/1.json.gz", answer)

    kept = shelf.read("polls/me/1.json.gz")
    assert gzip.decompress(kept) == answer
    assert len(kept) < len(answer) / 10


def test_the_same_answer_gives_the_same_bytes_at_any_time(shelf):
    shelf.archive.keep_poll("a", b"answer")

    kept = shelf.read("a")
    assert kept[4:8] == bytes(4)  # the time in the header


def test_quarantined_rows_are_stored(shelf):
    shelf.archive.keep_quarantine("quarantine/me/a.jsonl", io.BytesIO(b"{}\n{}\n"))

    assert shelf.read("quarantine/me/a.jsonl") == b"{}\n{}\n"


def test_an_older_version_can_be_fetched(shelf):
    older = shelf.put(b"older")
    shelf.put(b"newer")

    assert shelf.fetch(older) == b"older"


def test_a_missing_version_is_an_error(shelf):
    with pytest.raises(ClientError, match="NoSuchVersion"):
        shelf.fetch("41e3d3b5-0f71-4f0c-8f5d-6c7f0f0f0f0f")
