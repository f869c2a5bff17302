"""The formats of `plays export`: each writes pages of plays to a file, or to stdout."""

import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Literal, TextIO

from cli.listenbrainz import Listens, Played
from cli.result_formats import csv_lines, json_lines
from shared.queries import Result

Format = Literal["csv", "jsonl", "listenbrainz", "parquet"]
OF_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}

BOOLEAN = 16  # its OID in every Postgres
LOGIC = {"t": "true", "f": "false"}


def csv_text(pages: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of a CSV with one header; booleans are `true` and `false`."""
    for number, page in enumerate(pages):
        places = [n for n, column in enumerate(page.columns) if column.type_oid == BOOLEAN]
        for row in page.rows:
            for place in places:
                row[place] = LOGIC.get(row[place] or "")
        yield from islice(csv_lines(page), min(number, 1), None)


def json_text(pages: Iterable[Result]) -> Iterator[str]:
    """Yield one JSON object for each play."""
    for page in pages:
        yield from json_lines(page)


def listens(pages: Iterable[Result], kept: Listens) -> Iterator[tuple[int, str]]:
    """Yield each listen for ListenBrainz as its year (UTC) and a line of JSON."""
    plays = (
        Played.model_validate(dict(zip((c.name for c in page.columns), row, strict=True)))
        for page in pages
        for row in page.rows
    )
    for listen in kept.of(plays):
        year = datetime.fromtimestamp(listen["listened_at"], UTC).year
        yield year, json.dumps(listen, ensure_ascii=False)


def write_text(lines: Iterable[str], file: TextIO) -> None:
    """Write each line to a file, followed by a line break."""
    file.writelines(f"{line}\n" for line in lines)


def write_zip(listens: Iterable[tuple[int, str]], path: Path) -> None:
    """Write the zip that ListenBrainz imports, with a file for each year.

    ListenBrainz reads every `.jsonl` file in the zip; each may have at most 500 MB.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (year, lines) in enumerate(groupby(listens, key=lambda each: each[0])):
            # Estimated beginnings may go back over New Year: then a year has a second file.
            with archive.open(f"listens/{year}-{number}.jsonl", "w", force_zip64=True) as file:
                file.writelines(f"{line}\n".encode() for _, line in lines)
