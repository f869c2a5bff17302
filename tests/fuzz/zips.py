"""Zips: damaged headers, offsets and names, unusual methods, bombs."""

import io
import zipfile
from collections.abc import Sequence
from unittest.mock import patch

from services.collector.backfill import zip_files
from tests.fuzz.harness import Target, plain
from tests.fuzz.history_json import publish
from tests.fuzz.tape import Tape, changed, changed_json
from tests.unit.collector.backfill.history_examples import a_file, a_row, a_zip

ROWS = a_file(a_row(), a_row(ts="2026-05-02T18:35:00Z"))
NAMES = ("endsong_0.json", "Streaming_History_Audio_2026_1.json", "my_spotify_data.zip", "a/b.json",
         "x\\Streaming_History_Video_2026.json", "__MACOSX/._endsong.json", "endsong_é.json",
         "../endsong.json", "Read me.pdf", "endsong\x1b[31m.json", "endsong.json/")  # fmt: skip
FREE_BYTES = 1 << 17
"""In place of the 16 MiB that would take long to unpack."""
METHODS = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)


def _packed(method: int, names: Sequence[str], comment: bytes = b"", rows: bytes = ROWS) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", method) as archive:
        for name in names:
            # As if it were larger than 4 GiB, which adds 64-bit sizes.
            with archive.open(name, "w", force_zip64=name == NAMES[1]) as member:
                member.write(rows)
        archive.comment = comment
    return into.getvalue()


# Rows without a track, which are skipped; packed they take a 300th.
SKIPPED = b"[" + b'{"ts":0,"spotify_track_uri":null},' * 40_000 + b"{}]"
BOMB = _packed(zipfile.ZIP_DEFLATED, [NAMES[0]], rows=SKIPPED)
EXAMPLES = [
    *(_packed(method, NAMES[:2]) for method in METHODS),
    *(_packed(zipfile.ZIP_DEFLATED, NAMES[at : at + 3], b"a comment") for at in range(len(NAMES))),
    BOMB,
]
MARKS = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7")
EXTREMES = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 1 << 16, 0x7FFF_FFFF, 0xFFFF_FFFF, 8, 12, 93, 99)


def make(tape: Tape) -> bytes:
    """Return a zip of changed files, or an example; then change fields of headers, or bytes."""
    if tape.below(4):
        packed = tape.one_of(EXAMPLES)
    else:
        files = {tape.one_of(NAMES): changed_json(tape, [a_row()]) for _ in range(2)}
        packed = a_zip(files).getvalue()
    for _ in range(tape.below(4)):
        packed = _with_field(tape, packed)
    return changed(tape, packed, 2) if tape.below(3) == 0 else packed


def _with_field(tape: Tape, packed: bytes) -> bytes:
    """Overwrite two or four bytes of a header."""
    mark = tape.one_of(MARKS)
    places = [at for at in range(len(packed)) if packed.startswith(mark, at)]
    if not places:
        return packed
    at = tape.one_of(places) + len(mark) + 2 * tape.below(26)
    value, width = tape.one_of(EXTREMES), tape.one_of([2, 4])
    value = value if tape.below(2) else tape.below(1 << 16)
    return (
        packed[:at]
        + (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        + packed[at + width :]
    )


def read(content: bytes) -> None:
    with patch.object(zip_files, "RATIO_FREE_BYTES", FREE_BYTES):
        publish(content, "my_spotify_data.zip")
    assert content != BOMB


TARGET = Target("zips", make, plain(read))
