"""Archived answers of polls: each is replayed or named as unreadable; the others are replayed."""

import gzip
import io
import json
from types import SimpleNamespace
from typing import Any, cast

from cli.archive_reader import ArchiveReader
from cli.target import Target as Cloud
from tests.fuzz.harness import NoValueError, Target, plain
from tests.fuzz.spotify_answers import PLAYS
from tests.fuzz.tape import Tape, changed, changed_json

KEYS = [f"polls/me/2026-11-23T{hour:02}:00:00Z.json.gz" for hour in (9, 10, 11)]
CHANGED = KEYS[1]
GOOD = gzip.compress(json.dumps(PLAYS).encode())


class S3:
    """Holds one changed answer between two good ones."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def get_object(self, *, Key: str, **_: Any) -> dict[str, Any]:
        return {"Body": io.BytesIO(self._content if Key == CHANGED else GOOD)}


def make(tape: Tape) -> bytes:
    packed = gzip.compress(changed_json(tape, PLAYS), compresslevel=1, mtime=0)
    return changed(tape, packed) if tape.below(3) == 0 else packed


def read(content: bytes) -> None:
    cloud = SimpleNamespace(client=lambda _: S3(content), output=lambda _: "archive")
    archive = ArchiveReader(cast("Cloud", cloud), ["me"])
    polls = {poll.origin: poll.found for poll in archive.polls(KEYS)}
    assert sorted([*polls, *archive.unreadable]) == KEYS
    assert archive.unreadable in ([], [CHANGED])
    polls[KEYS[2]].report.model_dump_json()
    if archive.unreadable:
        raise NoValueError


TARGET = Target("archived-answers", make, plain(read), (NoValueError,))
