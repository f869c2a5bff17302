"""Dead letters as SQS returns them, for tests."""

import json
from datetime import UTC, datetime
from typing import Any

SENT_AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
PLAY = {
    "track_uri": "spotify:track:7ouMYWpwJ422jRcDASZB7P",
    "track_name": "Knights of Cydonia",
    "artist_name": "Muse",
    "played_at": "2022-05-01T00:00:00Z",
}
BATCH = {
    "listener": "anna",
    "source": "recently-played",
    "origin": "polls/anna/a.json.gz",
    "number": 0,
    "plays": [PLAY],
}
UPLOAD: dict[str, Any] = {
    "detail-type": "Object Created",
    "detail": {
        "bucket": {"name": "archive"},
        "object": {"key": "history/ben/a.zip", "version-id": "v1"},
    },
}
FAILED_POLL = {
    "requestContext": {"requestId": "r1", "condition": "RetriesExhausted"},
    "requestPayload": {"listener": "me"},
    "responsePayload": {"errorType": "SpotifyError", "errorMessage": "no answer"},
}


def a_message(body, message_id="m1", *, sent_at=SENT_AT, received=5, **attributes):
    """Return a received message; a body that is no text becomes JSON."""
    return {
        "MessageId": message_id,
        "Body": body if isinstance(body, str) else json.dumps(body),
        "Attributes": {
            "SentTimestamp": str(int(sent_at.timestamp() * 1_000)),
            "ApproximateReceiveCount": str(received),
        },
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    }
