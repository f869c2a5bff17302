"""`plays uploads`: list the uploads, show the report of one, and dismiss one with problems."""

from datetime import datetime
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.local_time import local
from cli.options import JsonOption, target_of
from cli.output import Document, emit, show, table
from cli.target import Target
from cli.upload_dismissal import dismiss
from cli.upload_report import Upload, fetch_upload_report, show_summary, summarize
from cli.uploads import IN_TROUBLE, UploadEntry, fetch_uploads
from shared.queries import Reader

NEWEST = 20
"""Most uploads that are shown unless all are asked for."""

NumberArgument = Annotated[
    int, typer.Argument(metavar="NUMBER", help="The number in `plays uploads`.")
]

app = typer.Typer(
    invoke_without_command=True,
    help="List the uploads, the newest first: what became of each, and why.\n\n"
    "An upload is a file under `history/` in the archive, by `plays upload` or by another tool. "
    "It is waiting (not read yet), loading, loaded, partly loaded (some of it could not be read), "
    "failed (no play of it could be read), or stuck (nothing of it moves any more).",
)


class UploadEntries(Document):
    """Every upload, the newest first."""

    uploads: list[UploadEntry]


@app.callback()
def list_(
    context: typer.Context,
    *,
    show_all: Annotated[
        bool, typer.Option("--all", help=f"Show all, not only the newest {NEWEST}.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the uploads, unless a subcommand follows."""
    if context.invoked_subcommand:
        if show_all or as_json:
            context.fail(
                f"put options after the command: `plays uploads {context.invoked_subcommand} "
                "NUMBER --json`"
            )
        return
    target = target_of(context)
    with target.database() as database:
        uploads = fetch_uploads(target, database)[::-1]
    if as_json:
        emit(UploadEntries(uploads=uploads))
    elif uploads:
        _show(uploads if show_all else uploads[:NEWEST], len(uploads))
    else:
        show("there are no uploads yet: `plays upload FILE` sends one")


@app.command("show")
def show_(
    context: typer.Context,
    number: NumberArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the report of one upload.

    It says what became of every row, as `plays upload --wait` does.
    """
    target = target_of(context)
    with target.database() as database:
        entry = _find(target, database, number)
        report = fetch_upload_report(database, entry.origin)
    upload = Upload(
        file=entry.file,
        key=entry.key,
        origin=entry.origin,
        size_bytes=entry.size_bytes or 0,
        result=report,
    )
    summary = summarize(entry.listener, [upload])
    if as_json:
        emit(summary)
        return
    show(
        f"upload {number}: {entry.file} of {entry.listener}, {local(entry.uploaded_at)}: "
        f"{_outcome(entry)}"
    )
    show_summary(summary)
    if report is None:
        show(*entry.reasons)
    if entry.state in IN_TROUBLE and not entry.dismissed:
        show(f"If you no longer need it: `plays uploads dismiss {number}`.")


@app.command("dismiss")
def dismiss_(
    context: typer.Context, number: NumberArgument, *, as_json: JsonOption = False
) -> None:
    """Stop `plays status` from reporting an upload that is stuck, failed or partly loaded.

    Use it if you have the plays from another file, or do not want them. The file stays in the
    archive, and plays that were loaded stay in Postgres. To load the others, upload the file again.
    """
    target = target_of(context)
    with target.database() as database:
        entry = _find(target, database, number)
    if entry.state not in IN_TROUBLE:
        raise CommandError(f"upload {number} is {entry.state}, so there is nothing to dismiss")
    if not entry.dismissed:
        dismiss(target, entry.key, entry.origin)
    dismissed = entry.model_copy(update={"dismissed": True})
    emit(dismissed) if as_json else show(
        f"upload {number} ({entry.file} of {entry.listener}) is dismissed: `plays status` no "
        "longer reports it"
    )


def _find(target: Target, database: Reader, number: int) -> UploadEntry:
    """Return the upload with a number.

    Raises:
        CommandError: No upload has this number; the message names the known numbers.
    """
    uploads = fetch_uploads(target, database)
    for each in uploads:
        if each.number == number:
            return each
    known = f"numbers are 1 to {len(uploads)}" if uploads else "there are no uploads yet"
    raise CommandError(f"there is no upload {number}: {known}, see `plays uploads`")


def _show(uploads: list[UploadEntry], total: int) -> None:
    here = datetime.now().astimezone().tzinfo
    shown = table("", f"uploaded ({here})", "listener", "file", "result", numbers=())
    for each in uploads:
        when = f"{each.uploaded_at.astimezone(here):%Y-%m-%d %H:%M}"
        shown.add_row(str(each.number), when, each.listener, each.file, _outcome(each))
    show(shown)
    reasons = [
        f"{each.number}: {reason}"
        for each in uploads
        if not each.dismissed
        for reason in each.reasons
    ]
    if reasons:
        show("", *reasons)
    if len(uploads) < total:
        show("", f"{total - len(uploads):,} older ones: `plays uploads --all`")


def _outcome(entry: UploadEntry) -> str:
    state = f"{entry.state}, dismissed" if entry.dismissed else entry.state
    if not entry.plays:
        so_far = f", {entry.plays_loaded:,} plays so far" if entry.plays_loaded else ""
        return f"{state}{so_far}"
    if entry.plays == entry.plays_loaded:
        return f"{state}, {entry.plays:,} plays"
    return f"{state}, {entry.plays_loaded:,} of {entry.plays:,} plays"
