"""Lambda entry point of the backfill: read an upload, publish its plays and a report.

A failed run is retried by the queue from the beginning. It publishes the same batches, and the
loader ignores duplicates. Reading stops before the function's 15 minutes are over (1,000,000 rows
take less than a minute), and the report names the files that were not read to their end. The
backfill makes no call to Spotify.
"""

from collections.abc import Callable, Sequence
from functools import cache
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from services.collector.backfill.s3_event import Upload, read_event
from services.collector.backfill.upload_reader import UploadReader
from services.collector.domain.batches import Batches
from shared.archive import DEFAULT_LISTENER, Archive, listener_of, quarantine_key
from shared.aws import client, error_code
from shared.errors import UploadError
from shared.messages import log_received
from shared.queues import Queue
from shared.settings import Listeners, Settings
from shared.telemetry import logger

UPLOAD_BYTES = 1 << 30
"""Largest upload: it must fit on the function's disk, beside the quarantine."""
RESERVED = 0.1
"""Share of the function's time that is reserved for the report: 90 s of 15 minutes."""


class BackfillSettings(Settings):
    """The environment variables of the backfill."""

    archive_bucket: str
    collected_plays_queue_url: str
    listeners: Listeners
    """Uploads for other listeners are refused."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Read each upload; return failed messages to the queue."""
    processor = BatchProcessor(
        EventType.SQS,
        raise_on_entire_batch_failure=False,
        logger=logger,  # type: ignore[arg-type]  # Powertools does not type its Logger as one
    )
    return process_partial_response(event, wire(), processor, context)


@cache
def wire() -> Callable[[SQSRecord, LambdaContext], None]:
    """Build the backfill from its settings, once per container."""
    settings = BackfillSettings.from_environment()
    archive = Archive(client("s3"), settings.archive_bucket)
    queue = Queue(client("sqs"), settings.collected_plays_queue_url)

    # Powertools passes the context to a parameter with this name.
    def consume(record: SQSRecord, lambda_context: LambdaContext) -> None:
        log_received(record.message_id)
        upload = read_event(record.body, settings.archive_bucket)
        if upload.is_folder:
            logger.info("folder skipped", extra={"key": upload.key})
            return
        reserved_ms = lambda_context.get_remaining_time_in_millis() * RESERVED

        def is_late() -> bool:
            return lambda_context.get_remaining_time_in_millis() < reserved_ms

        backfill(upload, archive, queue, settings.listeners, is_late)

    return consume


def backfill(
    upload: Upload,
    archive: Archive,
    queue: Queue,
    listeners: Sequence[str],
    is_late: Callable[[], bool],
) -> None:
    """Publish the plays of an upload, then its report.

    Args:
        upload: A file, not a folder.
        archive: The bucket to read the upload from, and to write its unreadable rows to.
        queue: `collected-plays`.
        listeners: The deployed listeners. The report on an upload for another listener goes to the
            default listener if it is deployed, otherwise to the first one.
        is_late: Returns True once the reading must stop.

    Raises:
        ClientError: S3 or SQS failed; a retry may succeed.
    """
    default = DEFAULT_LISTENER if DEFAULT_LISTENER in listeners else listeners[0]
    named = listener_of(upload.key)
    listener = named if named in listeners else default
    batches = Batches(queue.publish_json, listener, "extended-history", upload.origin)
    with TemporaryFile() as quarantine:
        reader = UploadReader(batches, quarantine, upload.uploaded_at, is_late)
        try:
            check(upload, listeners)
            _read(upload, archive, reader)
        except UploadError as error:
            reader.refuse(upload.name, str(error))
        if quarantine.tell():
            quarantine.seek(0)
            archive.keep_quarantine(quarantine_key(listener, upload.origin), quarantine)
    count = batches.finish(reader.report)
    logger.info("upload read", extra={"origin": upload.origin, "batches": count})


def check(upload: Upload, listeners: Sequence[str]) -> None:
    """Raise UploadError if an upload has a wrong suffix, no deployed listener, or over 1 GiB."""
    if not upload.is_history:
        raise UploadError("not a history file: its name ends in neither .zip nor .json")
    if listener_of(upload.key) not in listeners:
        raise UploadError(
            f"its folder names no deployed listener (known: {', '.join(listeners)}): "
            "put it into history/<listener>/, or add the listener with `plays listener add`"
        )
    if upload.size > UPLOAD_BYTES:
        raise UploadError(f"larger than {UPLOAD_BYTES >> 30} GiB: upload it in parts")


def _read(upload: Upload, archive: Archive, reader: UploadReader) -> None:
    """Download and read an upload; raise UploadError if nothing of it can be read."""
    with TemporaryFile() as file:
        _fetch(upload, archive, file)
        for read in reader.read(file, upload.name):
            facts = {"origin": upload.origin, "file": read.file, "rows": read.buckets()}
            logger.info("history file read", extra=facts)


def _fetch(upload: Upload, archive: Archive, into: BinaryIO) -> None:
    try:
        archive.fetch(upload.key, upload.version_id, into)
    except ClientError as error:
        code = error_code(error)
        reason = _UNDECRYPTED if code.startswith("KMS.") else _UNREADABLE.get(code)
        if reason:
            raise UploadError(reason) from error
        raise


_DELETED = "deleted before it could be read"
_UNDECRYPTED = "S3 cannot decrypt it: upload it again without a key of your own (SSE-C, KMS)"
_UNREADABLE = {
    "NoSuchKey": _DELETED,
    "NoSuchVersion": _DELETED,
    "InvalidRequest": _UNDECRYPTED,
    "AccessDenied": "S3 does not let the backfill read it, perhaps because of the key that "
    "encrypts it: upload it again without a key of your own",
    "InvalidObjectState": "in an archived storage class: upload it again in a standard one",
}
