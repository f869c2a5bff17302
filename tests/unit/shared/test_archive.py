"""Keys and objects of the archive, with moto."""

import gzip
import hashlib
import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.archive import (
    KEY_BYTES,
    Archive,
    dead_letter_key,
    listener_of,
    poll_key,
    quarantine_key,
    upload_key,
    upload_origin,
)
from shared.models import PlayBatch
from tests.fakes.aws import BUCKET

KEY = "history/jane/my data+ü.zip"


@pytest.fixture
def archive(cloud):
    return Archive(cloud.s3, BUCKET)


@pytest.mark.parametrize(
    "polled_at",
    [
        datetime(2026, 11, 1, 0, 30, 0, 7_000, tzinfo=UTC),
        datetime(2026, 10, 31, 22, 30, 0, 7_000, tzinfo=timezone(timedelta(hours=-2))),
    ],
    ids=["UTC", "another zone"],
)
def test_the_archive_key_of_a_poll_contains_its_utc_date(polled_at):
    assert poll_key("me", polled_at) == "polls/me/2026/11/01/2026-11-01T00:30:00.007Z.json.gz"


@pytest.mark.parametrize(
    ("listener", "folder"), [("anna", "anna"), (None, "_unknown")], ids=["known", "unknown"]
)
def test_the_key_of_a_dead_letter_contains_listener_queue_and_utc_date(listener, folder):
    sent_at = datetime(2026, 10, 31, 22, 30, tzinfo=timezone(timedelta(hours=-2)))

    assert dead_letter_key(listener, "enriched-plays", sent_at, "m1") == (
        f"dead-letters/{folder}/enriched-plays/2026/11/01/m1.json"
    )


def test_the_quarantine_key_contains_the_origin():
    assert quarantine_key("jane", "history/jane/a.zip?versionId=1") == (
        "quarantine/jane/history/jane/a.zip?versionId=1.jsonl"
    )


def test_a_quarantine_key_uses_a_digest_of_a_long_origin():
    fitting, long = "ü" * 502, "ü" * 503

    assert quarantine_key("me", fitting) == f"quarantine/me/{fitting}.jsonl"
    assert quarantine_key("me", long) == (
        f"quarantine/me/{hashlib.sha256(long.encode()).hexdigest()}.jsonl"
    )


@pytest.mark.parametrize(
    ("key", "version", "origin"),
    [
        ("a.zip", "v1", "a.zip?versionId=v1"),
        ("a.zip", "v2", "a.zip?versionId=v2"),
        ("a.zip", "x&y=z?", "a.zip?versionId=x%26y%3Dz%3F"),
        ("a\0.zip", "1", "a\ufffd.zip?versionId=1"),
    ],
    ids=["first version", "second version", "escaped version", "NUL"],
)
def test_the_origin_of_an_upload_contains_key_and_version(key, version, origin):
    assert upload_origin(key, version) == origin


@pytest.mark.parametrize("letter", ["\0", "ü", "\1"])
def test_the_origin_of_an_upload_with_the_longest_s3_key_fits_into_a_message(letter):
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
def test_an_upload_key_contains_the_listener_and_a_lower_case_suffix(name, key):
    assert upload_key("jane", name) == key


@pytest.mark.parametrize(
    ("key", "listener"),
    [
        ("history/jane/a.zip", "jane"),
        ("history/jane/2024/a.zip", "jane"),
        ("history/a.zip", "me"),
        ("a.zip", "me"),
    ],
)
def test_the_listener_of_an_upload_is_its_folder_name(key, listener):
    assert listener_of(key) == listener


def test_a_poll_answer_is_archived_as_gzip(archive, cloud):
    answer = b'{"items": [' + b'{"played_at": "now"},' * 500 + b"{}]}"

    archive.keep_poll("polls/me/1.json.gz", answer)

    kept = cloud.read("polls/me/1.json.gz")
    assert gzip.decompress(kept) == answer
    assert len(kept) < len(answer) / 10
    # The header holds no time, so the same answer always gives the same bytes.
    assert kept[4:8] == bytes(4)


def test_quarantined_rows_are_stored_as_json_lines(archive, cloud):
    archive.keep_quarantine("quarantine/me/a.jsonl", io.BytesIO(b"{}\n{}\n"))

    assert cloud.read("quarantine/me/a.jsonl") == b"{}\n{}\n"


def test_an_older_version_of_an_upload_can_be_fetched(archive, cloud):
    older = cloud.upload(KEY, b"older")
    cloud.upload(KEY, b"newer")
    into = io.BytesIO()

    archive.fetch(KEY, older, into)

    assert into.getvalue() == b"older"
