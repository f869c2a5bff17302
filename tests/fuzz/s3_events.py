"""S3 events: each becomes messages that the enricher can read, or is refused."""

from io import BytesIO
from typing import Any, BinaryIO

from services.collector.backfill.s3_event import read_event
from services.collector.backfill.upload_handler import backfill
from shared.archive import KEY_BYTES, Archive
from shared.errors import MessageError
from tests.fuzz.harness import Target, plain
from tests.fuzz.queues import collected_plays
from tests.fuzz.tape import Tape, changed_json
from tests.unit.collector.backfill.history_examples import a_file, a_row, a_zip
from tests.unit.collector.backfill.test_upload_event import EVENT

FILE = a_zip({"endsong.json": a_file(a_row(), {"ts": "2026"})}).getvalue()


class S3:
    """Holds the same file under every key."""

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": BytesIO(FILE)}

    def upload_fileobj(self, rows: BinaryIO, bucket: str, key: str) -> None:
        assert rows.read()
        assert len(key.encode()) <= KEY_BYTES


def make(tape: Tape) -> bytes:
    return changed_json(tape, EVENT)


def read(content: bytes) -> None:
    upload = read_event(content.decode(errors="replace"), EVENT["detail"]["bucket"]["name"])
    if not upload.is_folder:
        queue, _ = collected_plays()
        backfill(upload, Archive(S3(), "archive"), queue, ("jane",), lambda: False)


TARGET = Target("s3-events", make, plain(read), (MessageError,))
