"""The archive: raw answers and uploads in S3, kept for ever.

`history/<listener>/<file>`                            uploads
`polls/<listener>/<yyyy>/<mm>/<dd>/<polled_at>.json.gz` answers that held something new
`quarantine/<listener>/<origin>.jsonl`                 rows that could not be read, with the reason
"""

import gzip
from datetime import UTC, datetime
from typing import Any, BinaryIO
from urllib.parse import quote

from shared.models import iso

DEFAULT_LISTENER = "me"


def poll_key(listener: str, polled_at: datetime) -> str:
    """Name the object that keeps the answer of one poll."""
    return f"polls/{listener}/{polled_at.astimezone(UTC):%Y/%m/%d}/{iso(polled_at)}.json.gz"


def quarantine_key(listener: str, origin: str) -> str:
    """Name the object that keeps the unreadable rows of one origin."""
    return f"quarantine/{listener}/{origin}.jsonl"


def upload_origin(key: str, version_id: str | None) -> str:
    """Name one upload of a file: the same key uploaded again is another origin."""
    return f"{key}?versionId={quote(version_id)}" if version_id else key


def listener_of(key: str) -> str:
    """Tell whose history an uploaded key is: `history/<listener>/<file>`, or the default's."""
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

    def newest_version(self, key: str) -> str | None:
        """Tell the version of an object that stands now; None where none is kept."""
        found: str | None = self._s3.head_object(Bucket=self._bucket, Key=key).get("VersionId")
        return found

    def fetch(self, key: str, version_id: str | None, into: BinaryIO) -> None:
        """Copy an uploaded file into a local one, in chunks."""
        extra = {"VersionId": version_id} if version_id else None
        self._s3.download_fileobj(self._bucket, key, into, ExtraArgs=extra)
