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
from shared.faults import faults_of


class Upload(NamedTuple):
    """What was put below `history/`: one version of one object, `size` bytes long.

    `etag` is empty, and `version_id` None, where the event leaves them out.
    """

    key: str
    version_id: str | None
    size: int
    uploaded_at: datetime
    etag: str = ""

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
        raise MessageError(f"not an event of an upload: {'; '.join(faults_of(error))}") from None
    if event.detail.bucket.name != bucket:
        raise MessageError("an event of another bucket than the archive")
    created = event.detail.object
    return Upload(created.key, created.version_id, created.size, event.time, created.etag)


class _Object(BaseModel):
    key: Annotated[str, StringConstraints(pattern=f"^{UPLOADS}")]
    version_id: Annotated[str | None, Field(alias="version-id")] = None
    size: int = 0
    etag: str = ""


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
