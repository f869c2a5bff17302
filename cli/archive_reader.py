"""Reads the archive: the uploads, and the answers of polls, of the deployed listeners."""

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from tempfile import TemporaryFile
from typing import NamedTuple

from cli.target import Target
from services.collector.backfill.s3_event import Upload
from services.collector.backfill.upload_handler import check
from services.collector.backfill.upload_reader import PlaySink, UploadReader
from services.collector.domain.replay import replay
from services.collector.domain.window import Comparison
from shared.archive import POLLS, UPLOADS, Archive, listener_of
from shared.errors import SpotifyError, UploadError
from shared.spotify.wire import RecentlyPlayed, read_recently_played

DOWNLOADS = 8
"""Answers that are fetched at once; boto3 keeps ten connections."""
FETCHED_TOGETHER = 400
"""Answers in memory at once: some 10 MB."""


class Poll(NamedTuple):
    """An archived answer of Spotify: its S3 key, and its comparison with the answers before it."""

    origin: str
    found: Comparison


class ArchiveReader:
    """Reads the uploads and poll answers of the given listeners from the archive.

    Uploads of other listeners are left out: the backfill refused them, or the listener was removed.
    """

    def __init__(self, target: Target, listeners: Sequence[str]) -> None:
        self._s3 = target.client("s3")
        self._bucket = target.output("ArchiveBucket")
        self._listeners = listeners
        self.unreadable: list[str] = []
        """The keys of answers that this release cannot read."""

    def uploads(self) -> list[Upload]:
        """Return all versions of uploaded files, the oldest first."""
        pages = self._s3.get_paginator("list_object_versions")
        uploads = [
            Upload(each["Key"], each["VersionId"], each["Size"], each["LastModified"])
            for page in pages.paginate(Bucket=self._bucket, Prefix=UPLOADS)
            for each in page.get("Versions", [])
        ]
        mine = [
            upload
            for upload in uploads
            if not upload.is_folder and listener_of(upload.key) in self._listeners
        ]
        return sorted(mine, key=lambda upload: (upload.uploaded_at, upload.origin))

    def read_upload(self, upload: Upload, plays: PlaySink) -> None:
        """Pass the plays of one upload to `plays`, as the backfill does.

        There is no time limit, and rows that cannot be read are not put into quarantine.
        """
        with TemporaryFile() as file, TemporaryFile() as quarantine:
            reader = UploadReader(plays, quarantine, upload.uploaded_at, lambda: False)
            try:
                check(upload, self._listeners)
                Archive(self._s3, self._bucket).fetch(upload.key, upload.version_id, file)
                for _ in reader.read(file, upload.name):
                    pass
            except UploadError as error:
                # Its report says why, so the rest of it is no loss.
                reader.refuse(upload.name, str(error))

    def answers(self, listener: str) -> list[str]:
        """Return the keys of a listener's archived answers, the oldest first."""
        pages = self._s3.get_paginator("list_objects_v2")
        prefix = f"{POLLS}{listener}/"
        return sorted(
            each["Key"]
            for page in pages.paginate(Bucket=self._bucket, Prefix=prefix)
            for each in page.get("Contents", [])
        )

    def polls(
        self, answers: Sequence[str], on_read: Callable[[], object] = lambda: None
    ) -> Iterator[Poll]:
        """Yield one listener's polls, each answer compared with those before it.

        Args:
            answers: All keys of the listener, because each comparison depends on those before it.
            on_read: Called after each answer.
        """
        origins: list[str] = []

        def read() -> Iterator[tuple[datetime, RecentlyPlayed]]:
            for key, answer in self._fetch_all(answers):
                on_read()
                if answer is None:
                    self.unreadable.append(key)
                    continue
                origins.append(key)
                yield polled_at(key), answer

        for found in replay(read()):
            yield Poll(origins.pop(), found)

    def _fetch_all(self, keys: Sequence[str]) -> Iterator[tuple[str, RecentlyPlayed | None]]:
        with ThreadPoolExecutor(DOWNLOADS) as pool:
            for start in range(0, len(keys), FETCHED_TOGETHER):
                some = keys[start : start + FETCHED_TOGETHER]
                yield from zip(some, pool.map(self._fetch, some), strict=True)

    def _fetch(self, key: str) -> RecentlyPlayed | None:
        with self._s3.get_object(Bucket=self._bucket, Key=key)["Body"] as body:
            packed = body.read()
        try:
            return read_recently_played(gzip.decompress(packed))
        except (SpotifyError, OSError, EOFError, zlib.error):
            return None


def polled_at(key: str) -> datetime:
    """Return the time of a poll, which is the file name in the S3 key of its answer."""
    return datetime.fromisoformat(key.rpartition("/")[2].removesuffix(".json.gz"))


def since(keys: Iterable[str], start: datetime | None) -> list[str]:
    """Return the keys of the answers polled at or after `start`; all keys if it is None."""
    return [key for key in keys if start is None or polled_at(key) >= start]
