"""Where words go: what was asked for to stdout, everything said on the way to stderr.

Colours are rich's decision: none where NO_COLOR is set or the output is no terminal.

Names and messages come from outside: tracks, files, answers, Postgres. A terminal obeys some of
their characters, so all that is printed goes through `printable`.
"""

import re
import sys
from datetime import datetime
from typing import Annotated, Any

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
"""An instant that JSON shows as Spotify does: UTC, milliseconds, `Z`."""

_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""What a terminal obeys (C0 with ESC, C1, separators of lines, marks and overrides of the direction
of text) or cannot show (halves of surrogate pairs, the byte order mark). Line breaks and tabs stay,
because our own texts have them, and so does U+200D, which joins emoji."""


def printable(text: str) -> str:
    """Return a text in which a terminal obeys nothing: those characters are escaped as in JSON."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


class Document(BaseModel):
    """Base of what `--json` prints."""

    model_config = ConfigDict(frozen=True)


def emit(document: Document) -> None:
    """Print one JSON document to stdout; it reads the same with its characters escaped."""
    sys.stdout.write(printable(document.model_dump_json(indent=2)) + "\n")


class _SafeTable(Table):
    """A table whose cells are printable, and hold what was given: no markup and no `:emoji:`."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row of texts."""
        super().add_row(*(Text(_one_line(cell)) for cell in cells), **options)


def show(*parts: Table | str) -> None:
    """Print tables and lines to stdout; a line break in a text from outside makes no line."""
    console = Console(highlight=False, emoji=False)
    for part in parts:
        if isinstance(part, str):
            console.print(_one_line(part), markup=False, soft_wrap=True)
        else:
            console.print(part)


def note(line: str) -> None:
    """Say something on the way, to stderr."""
    console = Console(stderr=True, highlight=False, emoji=False)
    console.print(printable(line), markup=False, soft_wrap=True)


def table(*texts: str, numbers: tuple[str, ...]) -> Table:
    """Begin a table: columns of text, then columns of numbers, which are set to the right."""
    made = _SafeTable(box=None, header_style="bold", pad_edge=False)
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


class _Name(ProgressColumn):
    """What is counted: the name of a file, for example."""

    def render(self, task: Task) -> Text:
        return Text(_one_line(task.description))


def _one_line(text: str) -> str:
    return printable(" ".join(text.splitlines()))


def _progress(*columns: ProgressColumn) -> Progress:
    # A long name leaves room for a bar and its numbers in 80 columns.
    name = _Name(table_column=Column(no_wrap=True, max_width=36))
    return Progress(name, BarColumn(), *columns, console=Console(stderr=True))
