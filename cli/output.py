"""Print results to stdout, and progress and notes to stderr.

Rich decides about colours: none if NO_COLOR is set or the output is not a terminal.

Track names, file names, responses and database errors may contain terminal control characters, so
everything printed goes through `printable`.
"""

import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, PlainSerializer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table
from rich.text import Text

from shared.models import iso

Instant = Annotated[datetime, PlainSerializer(iso)]
"""An instant, in JSON as Spotify writes it: UTC, milliseconds, `Z`."""

_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""Control characters (C0 with ESC, C1, line separators, direction marks and overrides) and
characters that no terminal can show (lone surrogates, the byte order mark). Line breaks and tabs
stay, because our own texts use them, and so does U+200D, which joins emoji."""


def printable(text: str) -> str:
    """Escape control characters as in JSON."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Document(BaseModel):
    """Base class of the documents that `--json` prints."""

    model_config = ConfigDict(frozen=True)


class Failure(Document):
    """Why a command failed; with --json it takes the place of the command's document."""

    error: str


def emit(document: Document) -> None:
    """Print one JSON document to stdout, with control characters escaped as JSON allows."""
    sys.stdout.write(printable(document.model_dump_json(indent=2)) + "\n")


def show_failure(message: str, *, as_json: bool) -> None:
    """Print why a command failed: one line on stderr, and with --json a document on stdout."""
    line = printable(" ".join(message.split()))
    if as_json:
        # One line, because `plays logs --follow` prints one document per line.
        typer.echo(Failure(error=line).model_dump_json())
    typer.echo(f"plays: {line}", err=True)


class _SafeTable(Table):
    """A table whose cells print literally: control characters escaped, no markup, no `:emoji:`."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of text cells."""
        super().add_row(*(Text(_one_line(cell)) for cell in cells), **options)


def show(*parts: Table | str) -> None:
    """Print tables and lines to stdout; line breaks within a line become spaces."""
    console = Console(highlight=False, emoji=False)
    for part in parts:
        if isinstance(part, str):
            console.print(_one_line(part), markup=False, soft_wrap=True)
        else:
            console.print(part)


def note(line: str) -> None:
    """Print a message to stderr."""
    console = Console(stderr=True, highlight=False, emoji=False)
    console.print(printable(line), markup=False, soft_wrap=True)


def table(*texts: str, numbers: tuple[str, ...]) -> Table:
    """Return an empty table: text columns, then right-aligned number columns."""
    made = _SafeTable(box=None, header_style="bold", pad_edge=False)
    for column in texts:
        made.add_column(column, overflow="fold")
    for column in numbers:
        made.add_column(column, justify="right")
    return made


def facts() -> Table:
    """Return an empty table without a header: a column of labels, a column of wrapped text."""
    made = _SafeTable(box=None, show_header=False, pad_edge=False)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    return made


def byte_progress() -> Progress:
    """Return a progress bar on stderr that counts bytes."""
    return _progress(DownloadColumn(), _Speed())


def count_progress() -> Progress:
    """Return a progress bar on stderr that counts items."""
    return _progress(_Counted(), TimeElapsedColumn())


def estimate_progress() -> Progress:
    """Return a progress bar on stderr that counts items and estimates the time left."""
    return _progress(_Counted(), TimeRemainingColumn(), TextColumn("left"))


class _Name(ProgressColumn):
    """The label of a bar, such as a file name."""

    def render(self, task: Task) -> Text:
        return Text(_one_line(task.description))


class _Bars(Progress):
    """Progress bars; a bar with a total of 0 is hidden."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        return super().make_tasks_table([task for task in tasks if task.total != 0])


class _Counted(MofNCompleteColumn):
    """The column `12/34` of a progress bar; the count alone while the total is unknown."""

    def render(self, task: Task) -> Text:
        if task.total:
            return super().render(task)
        return Text(f"{task.completed:.0f}" if task.completed else "")


class _Speed(TransferSpeedColumn):
    """The column `1.2 MB/s` of a progress bar; empty while the speed is unknown."""

    def render(self, task: Task) -> Text:
        is_known = task.finished_speed or task.speed
        return super().render(task) if is_known else Text("")


def _one_line(text: str) -> str:
    return printable(" ".join(text.splitlines()))


def _progress(*columns: ProgressColumn) -> Progress:
    # A long name must leave room for the bar and its numbers in 80 columns.
    name = _Name(table_column=Column(no_wrap=True, max_width=36))
    return _Bars(name, BarColumn(), *columns, console=Console(stderr=True))
