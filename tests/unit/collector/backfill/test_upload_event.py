import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.collector.backfill.s3_event import Upload, read_event
from shared.errors import MessageError

EVENT: dict[str, Any] = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "Object Created",
    "source": "aws.s3",
    "account": "111122223333",
    "time": "2026-11-20T12:00:00Z",
    "region": "eu-west-1",
    "resources": ["arn:aws:s3:::archive"],
    "detail": {
        "version": "0",
        "bucket": {"name": "archive"},
        "object": {
            "key": "history/jane/my data+ü.zip",
            "size": 5,
            "etag": "b1946ac92492d2347c6235b4d2611184",
            "version-id": "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
            "sequencer": "00617F08299329D189",
        },
        "requester": "123456789012",
        "reason": "PutObject",
    },
}


def an_event(**values: Any) -> dict[str, Any]:
    """An event whose object has other values."""
    detail = EVENT["detail"]
    return EVENT | {"detail": detail | {"object": detail["object"] | values}}


def test_an_s3_event_gives_its_bucket_key_and_version():
    upload = read_event(json.dumps(EVENT), "archive")

    assert upload == Upload(
        key="history/jane/my data+ü.zip",
        version_id="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
        size=5,
        uploaded_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )
    assert upload.name == "my data+ü.zip"
    assert (upload.is_history, upload.is_folder) == (True, False)
    assert upload.origin == (
        "history/jane/my data+ü.zip?versionId=IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"
    )


def test_an_s3_event_needs_only_bucket_key_and_version():
    before = datetime.now(UTC)
    event = {
        "detail-type": "Object Created",
        "detail": {
            "bucket": {"name": "archive"},
            "object": {"key": "history/endsong.json", "version-id": "1"},
        },
    }

    upload = read_event(json.dumps(event), "archive")

    assert upload.size == 0
    assert upload.origin == "history/endsong.json?versionId=1"
    assert upload.is_history
    assert before <= upload.uploaded_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("no json", "all: Invalid JSON"),
        ("{}", "detail-type: Field required; detail: Field required"),
        (json.dumps(EVENT | {"detail-type": "Object Deleted"}), "detail-type: Input should be"),
        (json.dumps(EVENT | {"detail": {"object": {}}}), "detail.bucket: Field required"),
        (
            json.dumps(
                EVENT | {"detail": {"bucket": {"name": "archive"}, "object": {"key": "polls/x"}}}
            ),
            "detail.object.key: String should match",
        ),
        (json.dumps(an_event(key="history/" + "a" * 1_017)), "detail.object.key: String should"),
        (json.dumps(an_event(**{"version-id": "a" * 301})), "detail.object.version-id: String"),
        (json.dumps(EVENT | {"time": "9999-12-31T23:59:59Z"}), "time: Input should be less"),
        (
            json.dumps(EVENT | {"detail": EVENT["detail"] | {"bucket": {"name": "other"}}}),
            "from a bucket that is not the archive",
        ),
    ],
    ids=[
        "no JSON",
        "empty",
        "deletion",
        "no bucket",
        "other prefix",
        "long key",
        "long version",
        "year 9999",
        "other bucket",
    ],
)
def test_a_message_that_is_no_upload_event_is_refused(body, fault):
    with pytest.raises(MessageError, match=fault):
        read_event(body, "archive")
