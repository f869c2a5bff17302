"""The archive: raw answers and uploads in S3, kept for ever.

`history/<listener>/<file>`                            uploads
`polls/<listener>/<yyyy>/<mm>/<dd>/<polled_at>.json.gz` answers that held something new
`quarantine/<listener>/<origin>.jsonl`                 rows that could not be read, with the reason
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
"""Where people put their files."""
UPLOAD_SUFFIXES = (".json", ".zip")
"""How the name of an upload ends, in lower case; others are reported, and not read."""
KEY_BYTES = 1_024
"""Longest key that S3 takes, in UTF-8."""
CHUNK_BYTES = 1 << 20


def poll_key(listener: str, polled_at: datetime) -> str:
    """Name the object that keeps the answer of one poll."""
    return f"polls/{listener}/{polled_at.astimezone(UTC):%Y/%m/%d}/{iso(polled_at)}.json.gz"


def quarantine_key(listener: str, origin: str) -> str:
    """Name the object that keeps the unreadable rows of one origin.

    The SHA-256 of an origin stands in for one that is too long for a key.
    """
    key = f"quarantine/{listener}/{origin}.jsonl"
    if len(key.encode()) > KEY_BYTES:
        return quarantine_key(listener, hashlib.sha256(origin.encode()).hexdigest())
    return key


def upload_key(listener: str, name: str) -> str:
    """Name the object that keeps an uploaded file, its suffix as `UPLOAD_SUFFIXES` spells it."""
    path = PurePath(name)
    return f"{UPLOADS}{listener}/{path.stem}{path.suffix.lower()}"


def upload_origin(key: str, version_id: str) -> str:
    """Name one upload of a file: the same key uploaded again is another origin.

    Postgres cannot store a NUL character, which a key may hold. One character stands in for it, so
    that the longest key still fits into a message.
    """
    key = key.replace("\0", "\ufffd")
    return f"{key}?versionId={quote(version_id)}"


def listener_of(key: str) -> str:
    """Return whose history a key is: `history/<listener>/<file>`, or the default listener's."""
    parts = key.split("/")
    return parts[1] if len(parts) > 2 else DEFAULT_LISTENER  # noqa: PLR2004 - prefix, listener, file


class Archive:
    """One S3 bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def keep_poll(self, key: str, answer: bytes) -> None:
        """Keep the raw answer of a poll, compressed."""
        # mtime=0: the same answer gives the same bytes.
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=gzip.compress(answer, mtime=0))

    def keep_quarantine(self, key: str, rows: BinaryIO) -> None:
        """Keep the unreadable rows of an upload: JSON lines, streamed."""
        self._s3.upload_fileobj(rows, self._bucket, key)

    def fetch(self, key: str, version_id: str, into: BinaryIO) -> None:
        """Copy an uploaded file into a local one, in chunks."""
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        with answer["Body"] as body:
            shutil.copyfileobj(body, into, CHUNK_BYTES)
