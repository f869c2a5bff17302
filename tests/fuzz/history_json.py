"""History JSON: the same rows whatever the chunks, and every play a message that others read."""

import io
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from services.collector.backfill.domain import json_stream
from services.collector.backfill.upload_reader import UploadReader
from services.collector.domain.batches import Batches
from shared.errors import UploadError
from shared.models import PlayBatch, UploadReport
from tests.fuzz.harness import NoValueError, Target, plain
from tests.fuzz.queues import collected_plays
from tests.fuzz.tape import Tape, changed_json
from tests.unit.collector.backfill.history_examples import UPLOADED_AT, a_row, a_trackless_row

SMALL_ROW_BYTES = 2_000
"""A limit that some inputs reach in place of the 128 KiB that would take long to read."""
TOO_LONG = "a row is longer"
EXAMPLES: list[Any] = [
    [a_row(), a_row(ms_played=0, master_metadata_track_name='}, {"')],
    [a_row(ts="2026-05-02T18:31:38Z", offline_timestamp=None), a_trackless_row(episode_name="x")],
    [{"endTime": "2026-05-02 18:31", "artistName": "a", "trackName": "b", "msPlayed": 1}, {}],
    [],
]


def make(tape: Tape) -> bytes:
    """Return the size of the chunks in one byte, then a file."""
    return bytes([tape.below(256)]) + changed_json(tape, tape.one_of(EXAMPLES))


def read(content: bytes) -> None:
    size, text = content[0] + 1, content[1:]
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    whole = rows_of([text] if text else [])
    # Compared as texts, because NaN in a quarantined row does not equal itself.
    assert repr(rows_of(chunks)) == repr(whole)
    with patch.object(json_stream, "ROW_BYTES", SMALL_ROW_BYTES):
        rows, error = rows_of(chunks)
    if error and error.startswith(TOO_LONG):
        assert repr(rows) == repr(whole[0][: len(rows)])
    else:
        assert repr((rows, error)) == repr(whole)
    publish(text, "endsong.json")


def rows_of(chunks: list[bytes]) -> tuple[list[Any], str | None]:
    """Return all rows, and the error that ended the reading."""
    rows: list[Any] = []
    try:
        for some in json_stream.read_rows(iter(chunks), UPLOADED_AT):
            rows += some
    except UploadError as error:
        return rows, str(error)
    return rows, None


def publish(upload: bytes, name: str) -> None:
    """Read an upload as the backfill does; raise NoValueError if its report names a problem."""
    queue, held = collected_plays()
    batches = Batches(queue.publish_json, "me", "extended-history", f"history/me/{name}")
    reader = UploadReader(batches, io.BytesIO(), UPLOADED_AT, lambda: False)
    for _ in refusing(reader, name, SmallReads(upload)):
        pass
    batches.finish(reader.report)
    found = [PlayBatch.model_validate_json(body) for body in held.bodies]
    report = found[-1].report
    assert isinstance(report, UploadReport)
    assert sum(len(batch.plays) for batch in found) == report.published
    others = sum(report.skipped.values()) + sum(report.quarantined.values())
    assert report.rows_in == report.published + others
    if report.problems:
        raise NoValueError(report.problems[0].reason)


def refusing(reader: UploadReader, name: str, upload: io.BytesIO) -> Iterator[Any]:
    try:
        yield from reader.read(upload, name)
    except UploadError as error:
        reader.refuse(name, str(error))


class SmallReads(io.BytesIO):
    """A file that is never read at once, because memory must stay flat."""

    def read(self, size: int | None = -1) -> bytes:
        position = self.tell()
        # zipfile and the end record take at most 64 KiB to the end.
        rest = len(self.getbuffer()) - position
        taken = rest if size is None or size < 0 else min(size, rest)
        assert size is None or size < 0 or size <= 1 << 20, f"{size} bytes at once"
        assert taken <= 1 << 20, f"{taken} bytes at once"
        return super().read(size)


TARGET = Target("history-json", make, plain(read))
