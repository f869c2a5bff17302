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
# A line break in the separator lets the fast C encoder indent records; they must be flat.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n    ", ": ")).encode


def write_export_zip(
    path: Path,
    files: Iterable[tuple[str, Iterable[Record]]],
    *,
    written_at: datetime,
    folder: str = FOLDER,
) -> None:
    """Write an export as Spotify packs it: JSON files and a guide in one folder.

    Args:
        path: The zip file; an existing one is replaced.
        files: Name and records of each file, consumed one after the other.
        written_at: The modification time of the files, so that equal input gives equal bytes.
        folder: The folder in the zip.
    """
    with ZipFile(path, "w") as archive:
        guide = _entry(f"{folder}/{_README}", written_at)
        archive.writestr(guide, _PDF)
        for name, records in files:
            entry = _entry(f"{folder}/{name}", written_at)
            with archive.open(entry, "w", force_zip64=True) as file:
                for text in _pretty(records):
                    file.write(text.encode())


def _entry(name: str, written_at: datetime) -> ZipInfo:
    """Return the metadata of a file in the zip."""
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
