"""`plays upload`: put exports into the archive, from which the pipeline loads them."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from cli.commands.derive import refresh_or_note
from cli.confirm import YesOption
from cli.errors import BadResultError, CommandError, interruptible
from cli.listeners import Listeners
from cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    ListenerOption,
    TimeoutOption,
    WaitOption,
    target_of,
)
from cli.output import byte_progress, count_progress, emit
from cli.simulated_plays import confirm_upload
from cli.target import Target
from cli.upload_files import check, find_files, note_left_out, require_readable
from cli.upload_report import (
    Upload,
    UploadList,
    UploadReport,
    fetch_upload_progress,
    fetch_upload_report,
    require_success,
    show_sent,
    show_summary,
    summarize,
)
from cli.waiting import UnfinishedError, Waiting
from shared.archive import DEFAULT_LISTENER, upload_key, upload_origin
from shared.errors import DatabaseError
from shared.queries import Reader

UPLOAD_STOPPED = (
    "files that were sent completely are stored and load (`plays uploads` shows the progress), the "
    "others are not; run it again, which adds no play twice"
)


def upload(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Zips from Spotify, the JSON files in them, or their folder."
        ),
    ],
    *,
    listener: ListenerOption = DEFAULT_LISTENER,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Upload your exports from Spotify (the package "extended streaming history").

    The files load automatically; uploading a file again adds nothing. `plays uploads` shows what
    became of them. From a folder, the streaming histories are sent, and other files are named. With
    --wait the command prints what became of every row, and refreshes the dashboard. It names the
    files in a zip that cannot be read; the other files load. The exit code is 1 if a zip in a
    folder is damaged, and with --wait if the rows do not add up, if nothing in a file could be read
    (as in the package "account data", which names no tracks), if no file holds any play of a track,
    or if a file does not load in time.
    """
    files, left_out = find_files(files)
    files = check(files)
    note_left_out(left_out)
    target = target_of(context)
    Listeners(target).require(listener)
    confirm_upload(target, listener, yes=yes)
    waiting = None
    if wait:
        # Without Postgres --wait cannot report, so send nothing.
        try:
            with target.database() as database:
                database.run("SELECT 1")
        except DatabaseError as error:
            raise CommandError(f"{error}; nothing was sent") from error
        waiting = Waiting(target, timeout)
    with interruptible(UPLOAD_STOPPED):
        uploads = send_all(target, files, listener)
    if waiting is None:
        sent = UploadList(listener=listener, uploads=uploads, left_out=left_out)
        emit(sent) if as_json else show_sent(sent)
        require_readable(left_out)
        return
    with interruptible("the files are stored and continue loading; see `plays uploads`"):
        done, unfinished = wait_for_all(waiting, uploads)
    summary = summarize(listener, done, left_out)
    emit(summary) if as_json else show_summary(summary)
    refresh_or_note(target)
    if unfinished:
        raise BadResultError("; ".join(map(str, unfinished)))
    require_success(summary)
    require_readable(left_out)


def send_all(target: Target, files: list[Path], listener: str) -> list[Upload]:
    """Send files to the archive one by one, with a progress bar for each."""
    # If there is no cloud, this fails before the bars appear.
    target.output("ArchiveBucket")
    with byte_progress() as progress:
        tasks = [progress.add_task(file.name, total=file.stat().st_size) for file in files]
        return [
            send(target, file, listener, progress, task)
            for file, task in zip(files, tasks, strict=True)
        ]


def send(target: Target, file: Path, listener: str, progress: Progress, task: TaskID) -> Upload:
    """Send one file to the archive; it is stored durably when this returns.

    Raises:
        CommandError: The file cannot be read.
    """
    s3, bucket = target.client("s3"), target.output("ArchiveBucket")
    key = upload_key(listener, file.name)
    try:
        with file.open("rb") as content:
            s3.upload_fileobj(
                content, bucket, key, Callback=lambda size: progress.advance(task, size)
            )
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    # The upload call does not return the version that it created.
    version = s3.head_object(Bucket=bucket, Key=key).get("VersionId")
    origin = upload_origin(key, version)
    return Upload(file=str(file), key=key, origin=origin, size_bytes=file.stat().st_size)


def wait_for_all(
    waiting: Waiting, uploads: list[Upload]
) -> tuple[list[Upload], list[UnfinishedError]]:
    """Wait for each upload; return all uploads, and the errors of those that did not finish."""
    done: list[Upload] = []
    unfinished: list[UnfinishedError] = []
    waiting.begin()
    for upload in uploads:
        try:
            done.append(wait_for_report(waiting, upload))
        except UnfinishedError as error:
            done.append(upload)
            unfinished.append(error)
    return done, unfinished


def wait_for_report(waiting: Waiting, upload: Upload) -> Upload:
    """Wait for the report of an upload, with a progress bar of its loaded plays.

    Raises:
        UnfinishedError: The wait timed out, or messages became dead letters.
    """
    with count_progress() as progress:
        task = progress.add_task(Path(upload.file).name, total=None)

        def fetch(database: Reader) -> UploadReport | None:
            loaded, published = fetch_upload_progress(database, upload.origin)
            progress.update(task, completed=loaded, total=published)
            return None if published is None else fetch_upload_report(database, upload.origin)

        result = waiting.wait_for(fetch, upload.file)
    return upload.model_copy(update={"result": result})
