"""The archive: raw answers and uploads in S3, kept forever.

`history/<listener>/<file>`                            uploads
`polls/<listener>/<yyyy>/<mm>/<dd>/<polled_at>.json.gz` answers with new plays, rows or gaps
`quarantine/<listener>/<origin>.jsonl`                 rows that could not be read, with the reason
`dead-letters/<listener>/<queue>/<yyyy>/<mm>/<dd>/<id>.json` messages that `plays dlq purge` kept
"""

import gzip
import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, BinaryIO
from urllib.parse import quote

from shared.models import iso

DEFAULT_LISTENER = "me"
UPLOADS = "history/"
"""The folder of the uploads."""
DEAD_LETTERS = "dead-letters/"
"""The folder of deleted dead letters."""
POLLS = "polls/"
"""The folder of the answers of polls."""
UPLOAD_SUFFIXES = (".json", ".zip")
"""The suffixes of readable uploads, in lower case; other files are reported but not read."""
KEY_BYTES = 1_024
"""Longest S3 key, in UTF-8."""
CHUNK_BYTES = 1 << 20


def poll_key(listener: str, polled_at: datetime) -> str:
    """Return the key of the answer of one poll."""
    return f"{POLLS}{listener}/{polled_at.astimezone(UTC):%Y/%m/%d}/{iso(polled_at)}.json.gz"


def quarantine_key(listener: str, origin: str) -> str:
    """Return the key of the unreadable rows of one origin.

    An origin that is too long for a key is replaced by its SHA-256.
    """
    key = f"quarantine/{listener}/{origin}.jsonl"
    if len(key.encode()) > KEY_BYTES:
        return quarantine_key(listener, hashlib.sha256(origin.encode()).hexdigest())
    return key


def dead_letter_key(listener: str | None, queue: str, sent_at: datetime, message_id: str) -> str:
    """Return the key of a deleted dead letter; without a listener its folder is `_unknown`."""
    day = f"{sent_at.astimezone(UTC):%Y/%m/%d}"
    return f"{DEAD_LETTERS}{listener or '_unknown'}/{queue}/{day}/{message_id}.json"


def upload_key(listener: str, name: str) -> str:
    """Return the key of an upload, with its suffix in lower case."""
    path = PurePath(name)
    return f"{UPLOADS}{listener}/{path.stem}{path.suffix.lower()}"


def upload_origin(key: str, version_id: str) -> str:
    """Return the origin of an upload: its key and version id.

    So a second upload of the same key has another origin. NUL characters in the key are replaced,
    because Postgres cannot store them.
    """
    key = key.replace("\0", "\ufffd")
    return f"{key}?versionId={quote(version_id)}"


def listener_of(key: str) -> str:
    """Return the listener of a key `history/<listener>/<file>`, or the default listener."""
    parts = key.split("/")
    return parts[1] if len(parts) > 2 else DEFAULT_LISTENER  # noqa: PLR2004 - prefix, listener, file


class Archive:
    """Reads and writes the archive bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keep_poll(self, key: str, answer: bytes) -> None:
        """Store the raw answer of a poll, compressed."""
        # mtime=0, so that the same answer gives the same bytes.
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=gzip.compress(answer, mtime=0))

    def keep_quarantine(self, key: str, rows: BinaryIO) -> None:
        """Store the unreadable rows of an upload as JSON lines."""
        self._s3.upload_fileobj(rows, self._bucket, key)

    def fetch(self, key: str, version_id: str, into: BinaryIO) -> None:
        """Download an upload into a local file, in chunks."""
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        with answer["Body"] as body:
            shutil.copyfileobj(body, into, CHUNK_BYTES)
