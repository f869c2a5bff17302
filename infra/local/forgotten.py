"""Uploads that MiniStack forgets in a crash: it keeps objects at once, its queues at an end only.

Polls are another matter: the collector's memory goes back with the queue, and the next one asks
for the newest 50 plays again. An older play that was still in a queue is in `polls/` alone.
"""

import json
from collections.abc import Iterator
from typing import Any

from infra.local.aws import LocalAws, client
from shared.archive import UPLOADS, upload_origin
from shared.models import iso
from shared.postgres import Address, Database

LOADED = "SELECT origin FROM reporting.import_result WHERE is_complete"


def send_again(aws: LocalAws, bucket: str, queue_url: str, address: Address) -> int:
    """Tell the backfill again of each upload that is not loaded whole; give how many these are.

    Twice does no harm: the loader knows an upload by its version, and its batches by their number.

    Args:
        aws: Where AWS is, and the key to it.
        bucket: The archive.
        queue_url: The queue that S3's events go to.
        address: Of the database, as a role that may read.
    """
    database = Database.connect(address)
    try:
        loaded = {str(origin) for (origin,) in database.run(LOADED)}
    finally:
        database.close()
    sent = 0
    for version in _uploads(aws, bucket):
        if upload_origin(version["Key"], version["VersionId"]) not in loaded:
            event = json.dumps(_event(bucket, version))
            client("sqs", aws).send_message(QueueUrl=queue_url, MessageBody=event)
            sent += 1
    return sent


def _uploads(aws: LocalAws, bucket: str) -> Iterator[dict[str, Any]]:
    """Return all versions of uploads, except those that were deleted and markers of folders."""
    pages = client("s3", aws).get_paginator("list_object_versions")
    # A key's versions and what deleted it may stand on two pages.
    found = pages.paginate(Bucket=bucket, Prefix=UPLOADS).build_full_result()
    deleted = {mark["Key"] for mark in found.get("DeleteMarkers", []) if mark["IsLatest"]}
    for version in found.get("Versions", []):
        key = version["Key"]
        if key not in deleted and not key.endswith("/"):
            yield version


def _event(bucket: str, version: dict[str, Any]) -> dict[str, Any]:
    """Make the event that S3 sent; see `services/collector/backfill/s3_event.py`."""
    created = {
        "key": version["Key"],
        "size": version["Size"],
        "etag": version["ETag"].strip('"'),
        "version-id": version["VersionId"],
    }
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": iso(version["LastModified"]),
        "detail": {"bucket": {"name": bucket}, "object": created},
    }
