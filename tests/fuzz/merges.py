"""Merges: the same rows as the slow model, in whatever order and parts the records come."""

from typing import Any

from services.loader.domain.identity import MATCH_WINDOW
from shared.models import Play, Source
from tests.fuzz.harness import Target, plain
from tests.fuzz.tape import Tape
from tests.unit.loader.identity_model import rows_of
from tests.unit.loader.memory_table import NarrowTable, Table, exported, reported, shown

TRACKS: tuple[dict[str, Any], ...] = (
    {"track": "a", "isrc": "QZAAA2600002"},
    {"track": "b", "isrc": "qzaaa26-00002", "track_name": "Other"},
    {"track": "c", "track_name": "name A"},
    {"track": "d"},
    {"track": "m", "track_name": "I. Prélude", "isrc": "QZAAA2600001", "duration_ms": 60_000},
    {"track": "n", "track_name": "II", "isrc": "QZAAA2600001", "duration_ms": 90_000},
    {"track": "e", "track_name": "Intro", "artist_name": "Various Artists", "album_name": "X"},
    {"track": "f", "track_name": "Intro", "artist_name": "Various Artists", "album_name": "x"},
    {"track": "g", "track_name": "Intro", "artist_name": "Various Artists"},
)
LENGTHS_MS = (0, 1_000, 1_001, 5_000, 9_999, 10_000, 60_000)
RECORD_BYTES = 6


def make(tape: Tape) -> bytes:
    """Return the number of the parts, then six bytes for each record."""
    spread = tape.one_of([1, 3, 60, 300])
    text = bytes([tape.below(6)])
    for _ in range(tape.below(9)):
        at_ms = tape.below(spread + 1) * 1_000 + tape.one_of([0, 0, 1, 500, 999])
        kinds = (tape.below(2), tape.below(len(TRACKS)), tape.below(len(LENGTHS_MS)))
        text += bytes(kinds) + at_ms.to_bytes(3, "big")
    return text


def read(content: bytes) -> None:
    texts = [content[at : at + RECORD_BYTES] for at in range(1, len(content), RECORD_BYTES)]
    records = [_record(text) for text in texts if len(text) == RECORD_BYTES]
    size = 1 + content[0]
    at_once, in_parts = Table(), NarrowTable()
    at_once.load(records)
    backwards = records[::-1] + records[:2]
    for at in range(0, len(backwards), size):
        in_parts.load(backwards[at : at + size])
    expected = shown(rows_of(records, MATCH_WINDOW))
    assert at_once.shown() == expected
    assert in_parts.shown() == expected


def _record(text: bytes) -> tuple[Source, Play]:
    at_ms = int.from_bytes(text[3:], "big")
    track, length = TRACKS[text[1] % len(TRACKS)], LENGTHS_MS[text[2] % len(LENGTHS_MS)]
    if text[0] % 2:
        return exported(at_ms // 1_000, ms=length, **track)
    return reported(at_ms / 1_000, popularity=text[2] % 4 * 25 or None, **track)


TARGET = Target("merges", make, plain(read), choices=60)
