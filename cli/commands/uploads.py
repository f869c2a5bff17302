"""`plays uploads`: every upload, and what became of it."""

from datetime import datetime
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.local_time import local
from cli.options import JsonOption, target_of
from cli.output import Document, emit, show, table
from cli.upload_report import Upload, fetch_upload_report, show_summary, summarize
from cli.uploads import UploadEntry, fetch_uploads

NEWEST = 20
"""Most uploads that are shown unless all are asked for."""

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
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The number in `plays uploads`.")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Print the report of one upload.

    It says what became of every row, as `plays upload --wait` does.
    """
    target = target_of(context)
    with target.database() as database:
        uploads = fetch_uploads(target, database)
        entry = next((each for each in uploads if each.number == number), None)
        if entry is None:
            known = f"numbers are 1 to {len(uploads)}" if uploads else "there are no uploads yet"
            raise CommandError(f"there is no upload {number}: {known}, see `plays uploads`")
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


def _show(uploads: list[UploadEntry], total: int) -> None:
    here = datetime.now().astimezone().tzinfo
    shown = table("", f"uploaded ({here})", "listener", "file", "result", numbers=())
    for each in uploads:
        when = f"{each.uploaded_at.astimezone(here):%Y-%m-%d %H:%M}"
        shown.add_row(str(each.number), when, each.listener, each.file, _outcome(each))
    show(shown)
    reasons = [f"{each.number}: {reason}" for each in uploads for reason in each.reasons]
    if reasons:
        show("", *reasons)
    if len(uploads) < total:
        show("", f"{total - len(uploads):,} older ones: `plays uploads --all`")


def _outcome(entry: UploadEntry) -> str:
    if not entry.plays:
        so_far = f", {entry.plays_loaded:,} plays so far" if entry.plays_loaded else ""
        return f"{entry.state}{so_far}"
    if entry.plays == entry.plays_loaded:
        return f"{entry.state}, {entry.plays:,} plays"
    return f"{entry.state}, {entry.plays_loaded:,} of {entry.plays:,} plays"
