"""Lambda entry point of the backfill: an uploaded history file in, plays and a report out.

A run that fails is started again by the queue, from the beginning: it publishes the same batches
again, and the loader knows them. Reading stops before the function's 15 minutes are over (1,000,000
rows take well below one), and the report names what is left. The reading asks nothing of Spotify.
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
from shared.queues import Queue
from shared.settings import Listeners, Settings
from shared.telemetry import logger

UPLOAD_BYTES = 1 << 30
"""Largest upload: it must fit on the function's disk, beside the rows it cannot read."""
RESERVED = 0.1
"""Share of an invocation's time that is left for the report: 90 s of 15 minutes."""


class BackfillSettings(Settings):
    """The environment variables of the backfill."""

    archive_bucket: str
    collected_plays_queue_url: str
    listeners: Listeners
    """Uploads for others are refused."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Read each upload; the messages of those that failed go back to the queue."""
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

    # Powertools hands over the context to a parameter of this name.
    def consume(record: SQSRecord, lambda_context: LambdaContext) -> None:
        upload = read_event(record.body, settings.archive_bucket)
        if upload.is_folder:
            logger.info("folder skipped", extra={"key": upload.key})
            return
        reserved_ms = lambda_context.get_remaining_time_in_millis() * RESERVED

        def is_late() -> bool:
            return lambda_context.get_remaining_time_in_millis() < reserved_ms

        backfill(_with_version(upload, archive), archive, queue, settings.listeners, is_late)

    return consume


def backfill(
    upload: Upload,
    archive: Archive,
    queue: Queue,
    listeners: Sequence[str],
    is_late: Callable[[], bool],
) -> None:
    """Publish the plays of an upload, and a report on it whatever it holds.

    Args:
        upload: Not a folder.
        archive: Where it is, and where its unreadable rows go.
        queue: `collected-plays`.
        listeners: The deployed ones. A report on an upload for another one goes to the default
            listener, or else to the first.
        is_late: True once the reading has to stop.

    Raises:
        ClientError: S3 or SQS refused: the same upload may succeed later.
    """
    default = DEFAULT_LISTENER if DEFAULT_LISTENER in listeners else listeners[0]
    named = listener_of(upload.key)
    listener = named if named in listeners else default
    batches = Batches(queue.publish_json, listener, "extended-history", upload.origin)
    with TemporaryFile() as quarantine:
        reader = UploadReader(batches, quarantine, upload.uploaded_at, is_late)
        try:
            _check(upload, listeners)
            _read(upload, archive, reader)
        except UploadError as error:
            reader.refuse(upload.name, str(error))
        if quarantine.tell():
            quarantine.seek(0)
            archive.keep_quarantine(quarantine_key(listener, upload.origin), quarantine)
    count = batches.finish(reader.report)
    logger.info("upload read", extra={"origin": upload.origin, "batches": count})


def _with_version(upload: Upload, archive: Archive) -> Upload:
    """Look up the version where the event leaves it out, as MiniStack's do.

    By the time an event is read, another upload may have taken the key.
    """
    if upload.version_id:
        return upload
    found = archive.find_version(upload.key, upload.etag, upload.uploaded_at)
    return upload._replace(version_id=found)


def _check(upload: Upload, listeners: Sequence[str]) -> None:
    """Raise UploadError for an upload that is not worth fetching."""
    if not upload.is_history:
        raise UploadError("not a history file: its name ends in neither .zip nor .json")
    if listener_of(upload.key) not in listeners:
        raise UploadError(
            f"its folder is not that of a deployed listener ({', '.join(listeners)}): "
            "put it into history/<listener>/, or deploy the listener first"
        )
    if upload.size > UPLOAD_BYTES:
        raise UploadError(f"larger than {UPLOAD_BYTES >> 30} GiB: upload it in parts")


def _read(upload: Upload, archive: Archive, reader: UploadReader) -> None:
    """Fetch and read an upload; raises UploadError if it is refused as a whole."""
    with TemporaryFile() as file:
        _fetch(upload, archive, file)
        for read in reader.read(file, upload.name):
            facts = {"origin": upload.origin, "file": read.file, "rows": read.buckets()}
            logger.info("history file read", extra=facts)


def _fetch(upload: Upload, archive: Archive, into: BinaryIO) -> None:
    if not upload.version_id:
        raise UploadError(_DELETED)
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
# S3 answers a HEAD without a body, so boto3 names such a refusal by its status.
_UNREADABLE = {
    **dict.fromkeys(("404", "NoSuchKey", "NoSuchVersion"), _DELETED),
    **dict.fromkeys(("400", "InvalidRequest"), _UNDECRYPTED),
    **dict.fromkeys(
        ("403", "AccessDenied"),
        "S3 does not let the backfill read it, perhaps because of the key that encrypts it: upload "
        "it again without a key of your own",
    ),
    "InvalidObjectState": "in an archived storage class: upload it again in a standard one",
}
