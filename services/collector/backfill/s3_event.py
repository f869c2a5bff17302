"""Reads the event of an upload, which S3 sends to the queue through EventBridge."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from shared.archive import KEY_BYTES, UPLOAD_SUFFIXES, UPLOADS, upload_origin
from shared.errors import MessageError
from shared.faults import faults_of
from shared.models import BoundedInstant


class Upload(NamedTuple):
    """One version of an object under `history/`; `size` is in bytes."""

    key: str
    version_id: str
    size: int
    uploaded_at: datetime

    @property
    def name(self) -> str:
        """The name of the file, without its folders."""
        return self.key.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """The origin in this upload's batches and report: its key with its version id."""
        return upload_origin(self.key, self.version_id)

    @property
    def is_folder(self) -> bool:
        """True for the empty object that the S3 console creates for a folder."""
        return self.key.endswith("/")

    @property
    def is_history(self) -> bool:
        """True if the name ends in `.json` or `.zip`."""
        return self.key.lower().endswith(UPLOAD_SUFFIXES)


def event_of(upload: Upload, bucket: str) -> str:
    """Rebuild the message that S3 sent to the queue `uploaded-files` for an upload."""
    event = _ObjectCreated(
        kind="Object Created",
        time=upload.uploaded_at,
        detail=_Detail(
            bucket=_Bucket(name=bucket),
            object=_Object(key=upload.key, version_id=upload.version_id, size=upload.size),
        ),
    )
    return event.model_dump_json(by_alias=True)


def read_event(body: str, bucket: str) -> Upload:
    """Read a message of the queue `uploaded-files`.

    Args:
        body: An "Object Created" event. Its keys are not URL-encoded.
        bucket: The archive bucket.

    Raises:
        MessageError: The body is not such an event, or the event comes from another bucket.

    Source:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    try:
        event = _ObjectCreated.model_validate_json(body)
    except ValidationError as error:
        raise MessageError(f"not an event of an upload: {'; '.join(faults_of(error))}") from None
    if event.detail.bucket.name != bucket:
        raise MessageError("the event comes from a bucket that is not the archive")
    created = event.detail.object
    return Upload(created.key, created.version_id, created.size, event.time)


class _Object(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    # Bounded, because a longer origin fits no message. Version ids of S3 have 32 characters.
    key: Annotated[str, StringConstraints(pattern=f"^{UPLOADS}", max_length=KEY_BYTES)]
    version_id: Annotated[str, Field(alias="version-id", pattern="^[!-~]{1,300}$")]
    size: int = 0


class _Bucket(BaseModel):
    name: str


class _Detail(BaseModel):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    kind: Annotated[Literal["Object Created"], Field(alias="detail-type")]
    # EventBridge always sends the time; an event made by hand may lack it.
    time: BoundedInstant = Field(default_factory=lambda: datetime.now(UTC))
    detail: _Detail
