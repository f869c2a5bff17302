"""Where words go: what was asked for to stdout, everything said on the way to stderr.

Colours are rich's decision: none where NO_COLOR is set or the output is no terminal.
"""

import sys
import unicodedata
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column, Table

from shared.models import iso

Instant = Annotated[datetime, PlainSerializer(iso)]
"""An instant that JSON shows as Spotify does: UTC, milliseconds, `Z`."""


class Document(BaseModel):
    """Base of what `--json` prints."""

    model_config = ConfigDict(frozen=True)


def emit(document: Document) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(document.model_dump_json(indent=2) + "\n")


def show(*parts: Table | str) -> None:
    """Print tables and lines to stdout."""
    console = Console(highlight=False)
    for part in parts:
        console.print(part, markup=False, soft_wrap=isinstance(part, str))


def printable(text: str) -> str:
    """Escape what a terminal would obey: control characters, and what breaks a line."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        else character
        for character in text
    )


def note(line: str) -> None:
    """Say something on the way, to stderr."""
    Console(stderr=True, highlight=False).print(line, markup=False, soft_wrap=True)


def table(*texts: str, numbers: tuple[str, ...]) -> Table:
    """Begin a table: columns of text, then columns of numbers, which are set to the right."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in texts:
        made.add_column(column, overflow="fold")
    for column in numbers:
        made.add_column(column, justify="right")
    return made


def byte_progress() -> Progress:
    """Begin a progress bar that counts bytes, on stderr."""
    return _progress(DownloadColumn(), TransferSpeedColumn())


def count_progress() -> Progress:
    """Begin a progress bar that counts things, on stderr."""
    return _progress(MofNCompleteColumn(), TimeElapsedColumn())


def estimate_progress() -> Progress:
    """Begin a progress bar that counts things and tells the time left, on stderr."""
    return _progress(MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))


def _progress(*columns: ProgressColumn) -> Progress:
    # A long name leaves room for a bar and its numbers in 80 columns.
    name = TextColumn(
        "{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=36)
    )
    return Progress(name, BarColumn(), *columns, console=Console(stderr=True))
