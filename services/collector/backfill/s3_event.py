"""The event that tells of an upload: S3 sends it through EventBridge into the queue."""

from datetime import UTC, datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    StringConstraints,
    ValidationError,
)

from shared.archive import UPLOAD_SUFFIXES, UPLOADS, upload_origin
from shared.errors import MessageError


class Upload(NamedTuple):
    """One version of one object below `history/`, `size` bytes long."""

    key: str
    version_id: str
    size: int
    uploaded_at: datetime

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.key.rpartition("/")[2]

    @property
    def origin(self) -> str:
        """The name of this upload in batches and reports."""
        return upload_origin(self.key, self.version_id)

    @property
    def is_folder(self) -> bool:
        """True for the empty object that S3's console makes of a folder."""
        return self.key.endswith("/")

    @property
    def is_history(self) -> bool:
        """True if the name is that of a history file."""
        return self.key.lower().endswith(UPLOAD_SUFFIXES)


def read_event(body: str, bucket: str) -> Upload:
    """Read a message of the queue `uploaded-files`.

    Args:
        body: An "Object Created" event. Unlike in the older events of S3, keys stand as they are.
        bucket: The archive; events of any other bucket are not ours.

    Raises:
        MessageError: It is no such event.

    Source:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    try:
        event = _ObjectCreated.model_validate_json(body)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise MessageError(f"not an event of an upload: {faults}") from None
    if event.detail.bucket.name != bucket:
        raise MessageError("an event of another bucket than the archive")
    created = event.detail.object
    return Upload(created.key, created.version_id, created.size, event.time)


class _Object(BaseModel):
    key: Annotated[str, StringConstraints(pattern=f"^{UPLOADS}")]
    version_id: Annotated[str, Field(alias="version-id", min_length=1)]
    size: int = 0


class _Bucket(BaseModel):
    name: str


class _Detail(BaseModel):
    bucket: _Bucket
    object: _Object


class _ObjectCreated(BaseModel):
    kind: Annotated[Literal["Object Created"], Field(alias="detail-type")]
    # EventBridge always tells it; an event made by hand may not.
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    detail: _Detail
