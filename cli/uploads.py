"""Every upload of a deployment: the versions of objects under `history/`, and their outcomes.

An upload is found in the archive only, until the loader stores its report or plays. An upload whose
object was deleted from the archive is found in Postgres only.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from cli.output import Document, Instant
from cli.queues import depth, name_of, queue_pairs
from cli.statements import STATEMENTS, as_document
from cli.target import Target
from cli.upload_dismissal import is_dismissed
from cli.upload_report import complaints
from shared.archive import UPLOADS, listener_of, upload_origin
from shared.models import FileProblem
from shared.queries import Reader

QUIET = timedelta(minutes=1)
"""Longer than the event of an upload takes to its queue, or a message from one to the next."""
RECENT = timedelta(days=7)
"""How long an upload without plays is a problem, unless the same file was loaded since."""

UploadState = Literal["waiting", "loading", "stuck", "loaded", "partly loaded", "failed"]
"""Not read yet; being loaded; no longer; all of it is rows; some of it could not be read; no play
of it could be read."""
IN_TROUBLE = ("stuck", "partly loaded", "failed")


class UploadRecord(Document):
    """What Postgres stores of an upload; `published` is None until its report is stored."""

    origin: str
    listener: str
    loaded: int
    published: int | None
    is_complete: bool
    changed_at: Instant
    rows_in: int | None
    skipped: dict[str, int] | None
    quarantined: dict[str, int] | None
    problems: tuple[FileProblem, ...] | None


class StoredUpload(Document):
    """An upload; `size_bytes` is None if its file was deleted, `record` if not yet in Postgres."""

    key: str
    origin: str
    uploaded_at: Instant
    size_bytes: int | None
    record: UploadRecord | None

    def last_change(self) -> datetime:
        """Return when it was uploaded, or when some of it was last loaded."""
        return max(self.uploaded_at, self.record.changed_at) if self.record else self.uploaded_at


class UploadEntry(Document):
    """One upload; `number` counts from 1, the oldest.

    `plays_loaded` of its `plays` are rows in Postgres; `plays` is None until the file is read.
    `reasons` say what could not be read, or why the upload is stuck. `dismissed` is True if it is
    stuck, failed or partly loaded, but a person has dismissed it or deleted its file.
    """

    number: int
    uploaded_at: Instant
    listener: str
    file: str
    key: str
    origin: str
    size_bytes: int | None
    state: UploadState
    unread_files: int
    plays_loaded: int
    plays: int | None
    reasons: tuple[str, ...]
    dismissed: bool = False


class UploadProblem(Document):
    """The newest upload that needs a person, and why."""

    number: int
    uploaded_at: Instant
    listener: str
    file: str
    state: UploadState
    reason: str


class UploadsInTrouble(Document):
    """How many uploads are loading, are stuck, or failed lately.

    A later upload of the same file replaces an earlier one that is stuck or failed. `partly_loaded`
    counts uploads in which some files could not be read.
    """

    in_progress: int
    stuck: int
    failed: int
    partly_loaded: int
    newest_problem: UploadProblem | None


def fetch_uploads(target: Target, database: Reader) -> list[UploadEntry]:
    """Read every upload, the oldest first."""
    records = {
        record.origin: record
        for row in database.run(STATEMENTS["uploads"])
        for record in [as_document(UploadRecord, row)]
    }
    uploads = sorted(
        _stored(target, records), key=lambda upload: (upload.uploaded_at, upload.origin)
    )
    now = datetime.now(UTC)
    why_stuck = None
    if any(_is_quiet(upload, now) for upload in uploads):
        why_stuck = _why_stuck(target)
    entries = (
        _entry(number, upload, why_stuck if _is_quiet(upload, now) else None)
        for number, upload in enumerate(uploads, start=1)
    )
    return [_with_dismissal(target, entry) for entry in entries]


def uploads_in_trouble(
    target: Target, database: Reader, removed: Collection[str]
) -> UploadsInTrouble:
    """Count the uploads that are loading or need a person, and find the newest problem.

    Uploads of removed listeners are left out.
    """
    uploads = fetch_uploads(target, database)
    return find_trouble(
        (each for each in uploads if each.listener not in removed), datetime.now(UTC)
    )


def find_trouble(uploads: Iterable[UploadEntry], now: datetime) -> UploadsInTrouble:
    """Return the result of `uploads_in_trouble` for uploads sorted from oldest to newest."""
    open_: dict[str, UploadEntry] = {}
    progress = 0
    for each in uploads:
        progress += each.state in ("waiting", "loading")
        is_faulty = each.state == "failed" or each.unread_files > 0
        is_recent = now - each.uploaded_at < RECENT
        if each.dismissed or not (each.state == "stuck" or is_faulty):
            open_.pop(each.key, None)
        elif each.state == "stuck" or is_recent:
            open_[each.key] = each
    states = [each.state for each in open_.values()]
    newest = max(open_.values(), key=lambda each: each.number, default=None)
    return UploadsInTrouble(
        in_progress=progress,
        stuck=states.count("stuck"),
        failed=states.count("failed"),
        partly_loaded=states.count("partly loaded"),
        newest_problem=newest
        and UploadProblem(reason="; ".join(newest.reasons), **_fields(newest, UploadProblem)),
    )


def _stored(target: Target, records: Mapping[str, UploadRecord]) -> Iterable[StoredUpload]:
    """Join the objects of the archive with the records in Postgres."""
    unseen = dict(records)
    pages = target.client("s3").get_paginator("list_object_versions")
    for page in pages.paginate(Bucket=target.output("ArchiveBucket"), Prefix=UPLOADS):
        for version in page.get("Versions", []):
            key = version["Key"]
            origin = upload_origin(key, version["VersionId"])
            # The S3 console creates an empty object for a folder, which the backfill ignores.
            if not key.endswith("/"):
                yield StoredUpload(
                    key=key,
                    origin=origin,
                    uploaded_at=version["LastModified"],
                    size_bytes=version["Size"],
                    record=unseen.pop(origin, None),
                )
    for origin, record in unseen.items():
        yield StoredUpload(
            key=origin.rpartition("?versionId=")[0],
            origin=origin,
            uploaded_at=record.changed_at,
            size_bytes=None,
            record=record,
        )


def _is_quiet(upload: StoredUpload, now: datetime) -> bool:
    """True if an upload is incomplete and nothing of it has been loaded for `QUIET`."""
    is_complete = upload.record is not None and upload.record.is_complete
    return not is_complete and now - upload.last_change() > QUIET


def _why_stuck(target: Target) -> str | None:
    """Return why incomplete uploads are stuck, and the remedy; None if a queue has messages."""
    sqs = target.client("sqs")
    pairs = [pair for pair in queue_pairs(target.outputs) if pair.source_url]
    if any(depth(sqs, str(pair.source_url)).total for pair in pairs):
        return None
    dead = [pair for pair in pairs if depth(sqs, pair.dead_letter_url).total]
    if not dead:
        return "no queue holds any of it: `plays rebuild` sends it again, which adds no play twice"
    names = " and ".join(name_of(pair.dead_letter_url) for pair in dead)
    replays = " and ".join(f"`plays dlq replay {pair.name}`" for pair in dead)
    return f"dead letters are in {names}: `plays dlq list` says why; mend it, then {replays}"


def _entry(number: int, upload: StoredUpload, why_stuck: str | None) -> UploadEntry:
    record = upload.record
    reasons: list[str] = []
    state: UploadState
    if record and record.rows_in is not None:
        reasons = complaints(record.problems or (), record.quarantined or {}, record.skipped or {})
    state = "stuck" if why_stuck else _state(record, has_complaints=bool(reasons))
    if why_stuck:
        reasons.append(why_stuck)
    if record and record.is_complete and not (record.published or reasons):
        reasons.append("no play of a track is in it")
    folder, _, file = upload.key.removeprefix(UPLOADS).partition("/")
    return UploadEntry(
        number=number,
        listener=listener_of(upload.key),
        file=file or folder,
        state=state,
        unread_files=len(record.problems or ()) if record else 0,
        plays_loaded=record.loaded if record else 0,
        plays=record.published if record else None,
        reasons=tuple(reasons),
        **_fields(upload, UploadEntry),
    )


def _with_dismissal(target: Target, entry: UploadEntry) -> UploadEntry:
    if entry.state not in IN_TROUBLE:
        return entry
    dismissed = entry.size_bytes is None or is_dismissed(target, entry.key, entry.origin)
    return entry.model_copy(update={"dismissed": dismissed})


def _state(record: UploadRecord | None, *, has_complaints: bool) -> UploadState:
    if record is None:
        return "waiting"
    if not record.is_complete:
        return "loading"
    if not has_complaints:
        return "loaded"
    return "partly loaded" if record.published else "failed"


def _fields(document: Document, model: type[Document]) -> dict[str, Any]:
    """Return the values of the fields that a document shares with a model."""
    return {
        name: getattr(document, name)
        for name in type(document).model_fields
        if name in model.model_fields
    }
