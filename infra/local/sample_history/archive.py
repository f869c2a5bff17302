"""The zip file of an export, written record by record, so that memory stays flat."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.local.sample_history.records import Record

FOLDER = "Spotify Extended Streaming History"

_README = "ReadMeFirst_ExtendedStreamingHistory.pdf"
_PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
# Flat records only: with the line break in the separator, the encoder written in C indents them.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n    ", ": ")).encode


def write_export_zip(
    path: Path,
    files: Iterable[tuple[str, Iterable[Record]]],
    *,
    written_at: datetime,
) -> None:
    """Write an export as Spotify packs it: JSON files and a guide in one folder.

    Args:
        path: The zip file; one that exists is replaced.
        files: Name and records of each, read one after the other.
        written_at: The time of the files in the zip, so that equal input gives equal bytes.
    """
    with ZipFile(path, "w") as archive:
        guide = _entry(f"{FOLDER}/{_README}", written_at)
        archive.writestr(guide, _PDF)
        for name, records in files:
            entry = _entry(f"{FOLDER}/{name}", written_at)
            with archive.open(entry, "w", force_zip64=True) as file:
                for text in _pretty(records):
                    file.write(text.encode())


def _entry(name: str, written_at: datetime) -> ZipInfo:
    """Describe a file of the zip."""
    entry = ZipInfo(name, written_at.timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    return entry


def _pretty(records: Iterable[Record]) -> Iterator[str]:
    """Write records as an indented JSON array, the way Spotify does."""
    separator = "[\n  {\n    "
    for record in records:
        yield f"{separator}{_encode(record)[1:-1]}"
        separator = "\n  },\n  {\n    "
    yield "[]" if separator.startswith("[") else "\n  }\n]"
