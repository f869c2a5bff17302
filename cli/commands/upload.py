"""`plays upload`: history files into the archive, from where they load by themselves."""

import unicodedata
from pathlib import Path
from typing import Annotated

import typer
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from rich.progress import Progress, TaskID

from cli.commands.derive import BY_ITSELF, derive_all
from cli.confirm import YesOption
from cli.errors import CommandError, interruptible
from cli.listeners import Listeners
from cli.options import (
    DEFAULT_TIMEOUT_S,
    JsonOption,
    ListenerOption,
    TimeoutOption,
    WaitOption,
    target_of,
)
from cli.output import byte_progress, count_progress, emit, note
from cli.simulated import confirm_upload
from cli.target import Target
from cli.upload_report import Upload, UploadList, add_up, judge, show_report, show_sent
from cli.upload_results import ImportResult, fetch_import, fetch_progress
from cli.waiting import UnfinishedError, Waiting
from shared.archive import DEFAULT_LISTENER, UPLOAD_SUFFIXES, upload_key, upload_origin
from shared.errors import DatabaseError
from shared.queries import Reader

# On some types of EC2 hosts boto3 would send by awscrt, which calls none of the events below.
CLASSIC = TransferConfig(preferred_transfer_client="classic")

SENDING_STOPPED = (
    "a file that was sent whole is stored and loads (`plays status` shows how far), any other is "
    "not stored; run it again, because no play is added twice"
)


def upload(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Zips as Spotify sends them, or the JSON files in them."
        ),
    ],
    *,
    listener: ListenerOption = DEFAULT_LISTENER,
    wait: WaitOption = False,
    timeout: TimeoutOption = DEFAULT_TIMEOUT_S,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Upload listening history (Spotify's "extended streaming history").

    The files load by themselves; a file uploaded again adds nothing. With --wait the command
    prints where every row went, and brings the page up to date. Files in a zip that cannot be
    read are named, and the others load. The exit code is 1 if the rows do not add up, if nothing
    in a file could be read (the package "account data" names no tracks, so it counts), or if a
    file does not load in time.
    """
    files = check(files)
    target = target_of(context)
    Listeners(target).require(listener)
    confirm_upload(target, listener, yes=yes)
    waiting = None
    if wait:
        # Better no answer before anything is sent than none after.
        try:
            with target.database() as database:
                database.run("SELECT 1")
        except DatabaseError as error:
            raise CommandError(f"{error}; nothing was sent") from error
        waiting = Waiting(target, timeout)
    with interruptible(SENDING_STOPPED):
        uploads = send_all(target, files, listener)
    if waiting is None:
        sent = UploadList(listener=listener, uploads=uploads)
        emit(sent) if as_json else show_sent(sent)
        return
    with interruptible("the files are stored and go on loading; `plays status` shows how far"):
        done, unfinished = await_all(waiting, uploads)
    report = add_up(listener, done)
    emit(report) if as_json else show_report(report)
    _refresh(target)
    if unfinished:
        raise CommandError("; ".join(map(str, unfinished)))
    judge(report)


def _refresh(target: Target) -> None:
    """Bring the reports and the page up to date, which would follow by themselves."""
    try:
        with interruptible(BY_ITSELF):
            derive_all(target, {})
    except (CommandError, ClientError) as error:
        note(f"reports and page follow within an hour: {error}")


def check(files: list[Path]) -> list[Path]:
    """Refuse before anything is sent what could not be sent, or would never be read.

    Returns:
        The files, each once.

    Raises:
        CommandError: Names the file, and why.
    """
    for file in files:
        # Line breaks and the like, and bytes that are no UTF-8.
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in file.name):
            raise CommandError(f"{file.name!r} holds a character that no upload can: rename it")
        if not file.exists():
            raise CommandError(f"{file} does not exist")
        if not file.is_file():
            raise CommandError(f"{file} is not a file: name the zip, or the JSON files in it")
        if file.suffix.lower() not in UPLOAD_SUFFIXES:
            raise CommandError(f"{file} is neither .zip nor .json: send the file Spotify sent you")
    known: dict[str, Path] = {}
    for file in files:
        other = known.setdefault(upload_key(DEFAULT_LISTENER, file.name), file)
        if not other.samefile(file):
            raise CommandError(f"{other} and {file} have the same name: rename one of them")
    return list(known.values())


def send_all(target: Target, files: list[Path], listener: str) -> list[Upload]:
    """Send files to the archive one after the other, with a bar for each."""
    # Without a cloud it fails here, before there is a bar.
    target.output("ArchiveBucket")
    with byte_progress() as progress:
        tasks = [progress.add_task(file.name, total=file.stat().st_size) for file in files]
        return [
            send(target, file, listener, progress, task)
            for file, task in zip(files, tasks, strict=True)
        ]


def send(target: Target, file: Path, listener: str, progress: Progress, task: TaskID) -> Upload:
    """Send one file to the archive; it is durable when this returns.

    Raises:
        CommandError: The file cannot be read.
    """
    s3, bucket = target.client("s3"), target.output("ArchiveBucket")
    key = upload_key(listener, file.name)
    versions: list[str] = []
    # The transfer sends in parts and in parallel, but does not say which version it made.
    for call in ("PutObject", "CompleteMultipartUpload"):
        s3.meta.events.register(
            f"after-call.s3.{call}",
            lambda parsed, **_: versions.append(parsed.get("VersionId", "")),
        )
    try:
        with file.open("rb") as content:
            s3.upload_fileobj(
                content,
                bucket,
                key,
                Callback=lambda size: progress.advance(task, size),
                Config=CLASSIC,
            )
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}") from error
    origin = upload_origin(key, versions[-1])
    return Upload(file=str(file), key=key, origin=origin, size_bytes=file.stat().st_size)


def await_all(
    waiting: Waiting, uploads: list[Upload]
) -> tuple[list[Upload], list[UnfinishedError]]:
    """Wait for each upload; one that does not end hides no other's result."""
    done: list[Upload] = []
    unfinished: list[UnfinishedError] = []
    waiting.begin()
    for upload in uploads:
        try:
            done.append(await_result(waiting, upload))
        except UnfinishedError as error:
            done.append(upload)
            unfinished.append(error)
    return done, unfinished


def await_result(waiting: Waiting, upload: Upload) -> Upload:
    """Wait until every row of an upload ended somewhere, with a bar of the plays loaded.

    Raises:
        UnfinishedError: It takes too long, or its messages died.
    """
    with count_progress() as progress:
        task = progress.add_task(Path(upload.file).name, total=None)

        def look(database: Reader) -> ImportResult | None:
            loaded, published = fetch_progress(database, upload.origin)
            progress.update(task, completed=loaded, total=published)
            return None if published is None else fetch_import(database, upload.origin)

        result = waiting.wait_for(look, upload.file)
    return upload.model_copy(update={"result": result})
