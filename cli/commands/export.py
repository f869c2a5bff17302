"""`plays export`: write plays to a file or to stdout."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, get_args

import typer

from cli import listenbrainz
from cli.errors import CommandError, interruptible
from cli.export_formats import (
    OF_SUFFIX,
    Format,
    csv_text,
    json_text,
    listens,
    write_text,
    write_zip,
)
from cli.export_pages import FEATURE_COLUMNS, PLAY_COLUMNS, Extent, fetch_extents, read_pages
from cli.listenbrainz import Listens
from cli.options import FromOption, JsonOption, OptionalListenerOption, ToOption, target_of
from cli.output import Document, count_progress, emit, note, printable
from cli.output_files import written_whole
from cli.parquet import require_duckdb, write_parquet
from shared.queries import Result


class Export(Document):
    """The result of an export; `left_out` counts plays kept from ListenBrainz, by reason."""

    path: Path | None
    format: Format
    listeners: list[str]
    plays: int
    left_out: dict[str, int]


def export(
    context: typer.Context,
    *,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file to write. Default: stdout."),
    ] = None,
    form: Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(get_args(Format))}. Default: by the suffix of --out, else csv.",
        ),
    ] = None,
    listener: OptionalListenerOption = None,
    first: FromOption = None,
    last: ToOption = None,
    features: Annotated[
        bool, typer.Option("--features", help="Add the audio features of each track.")
    ] = False,
    everything: Annotated[
        bool,
        typer.Option(
            "--everything",
            help="For ListenBrainz: also short plays, and those of private sessions.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write plays to a file: CSV, JSON Lines, Parquet, or what ListenBrainz imports.

    --from and --to are in the listener's time zone. The instants in the file are UTC, and
    `played_at` is the end of a play. The file appears only once it is complete.

    \b
    plays export --out plays.csv
    plays export --from 2025-01-01 --out since.parquet
    plays export --format jsonl | gzip > plays.jsonl.gz
    plays export --format listenbrainz --out listens.zip
    """  # noqa: D301 - click reads the control character as: keep these lines
    chosen = _format(form, out)
    if as_json and out is None:
        raise CommandError("--json describes the written file, so it needs one: name it with --out")
    if features and chosen == "listenbrainz":
        raise CommandError("ListenBrainz takes no audio features: leave out --features")
    if everything and chosen != "listenbrainz":
        raise CommandError(
            "--everything is only for --format listenbrainz: leave it out, because other formats "
            "contain every play"
        )
    target = target_of(context)
    kept = Listens(everything=everything)
    with (
        interruptible("the output is incomplete" if out is None else "no file was written"),
        target.database() as database,
    ):
        extents = fetch_extents(database, listener, first, last)
        _require_one_person(chosen, extents)
        columns = listenbrainz.COLUMNS if chosen == "listenbrainz" else PLAY_COLUMNS
        pages = read_pages(database, extents, (*columns, *(FEATURE_COLUMNS if features else ())))
        if out is None:
            _print(pages, chosen, kept, extents)
        else:
            with written_whole(out, force=force) as path:
                _save(_counted(pages, extents), chosen, kept, path)
    done = Export(
        path=out and out.absolute(),
        format=chosen,
        listeners=[extent.listener for extent in extents if extent.plays],
        plays=sum(extent.plays for extent in extents),
        left_out=dict(kept.left_out),
    )
    emit(done) if as_json else note(_summary(done))


def _format(form: Format | None, out: Path | None) -> Format:
    """Return the format given with --format, or the one of the file's suffix.

    Raises:
        CommandError: The suffix belongs to no format, or Parquet was chosen without --out, or
            DuckDB is not installed.
    """
    chosen = form or ("csv" if out is None else OF_SUFFIX.get(out.suffix.lower()))
    if chosen is None:
        raise CommandError(
            f"the suffix of {out} belongs to no format: choose csv, jsonl, parquet or listenbrainz "
            "with --format"
        )
    if chosen == "parquet":
        if out is None:
            raise CommandError("Parquet cannot be written to stdout: name a file with --out")
        require_duckdb()
    return chosen


def _require_one_person(form: Format, extents: list[Extent]) -> None:
    """Check that an export for ListenBrainz has one listener, because an account has one owner.

    Raises:
        CommandError: The export has plays of several listeners.
    """
    names = [extent.listener for extent in extents if extent.plays]
    if form == "listenbrainz" and len(names) > 1:
        raise CommandError(
            f"a ListenBrainz account belongs to one person: choose {' or '.join(names)} "
            "with --listener"
        )


def _lines(pages: Iterable[Result], form: Format, kept: Listens) -> Iterator[str]:
    """Return plays as lines of CSV, JSON Lines or the format of ListenBrainz."""
    if form == "csv":
        return csv_text(pages)
    if form == "jsonl":
        return json_text(pages)
    return (line for _, line in listens(pages, kept))


def _print(pages: Iterable[Result], form: Format, kept: Listens, extents: list[Extent]) -> None:
    # The progress bar takes over sys.stdout while it shows.
    stdout = sys.stdout
    if stdout.isatty():
        # A terminal must not get control characters, and has no room for a bar.
        write_text(map(printable, _lines(pages, form, kept)), stdout)
    else:
        write_text(_lines(_counted(pages, extents), form, kept), stdout)


def _save(pages: Iterable[Result], form: Format, kept: Listens, path: Path) -> None:
    if form == "parquet":
        write_parquet(pages, path)
    elif form == "listenbrainz":
        write_zip(listens(pages, kept), path)
    else:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            write_text(_lines(pages, form, kept), file)


def _counted(pages: Iterable[Result], extents: list[Extent]) -> Iterator[Result]:
    """Yield the pages unchanged, and show on a progress bar how many plays have passed."""
    with count_progress() as progress:
        bar = progress.add_task("plays", total=sum(extent.plays for extent in extents))
        for page in pages:
            yield page
            progress.advance(bar, len(page.rows))


def _summary(done: Export) -> str:
    left_out = "".join(
        f"; {count:,} left out: {reason}" for reason, count in sorted(done.left_out.items())
    )
    return f"{done.plays:,} plays{f' in {done.path}' if done.path else ''}{left_out}"
