"""Texts and messages through a real Postgres."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench.postgres import running
from services.loader.domain.copy_format import copy_text
from services.loader.handler import _load
from services.loader.store import Store
from shared.messages import read_messages
from shared.models import EnrichedBatch
from shared.postgres import Database
from tests.fuzz.harness import NoValueError, Read, Target
from tests.fuzz.queue_messages import BATCHES
from tests.fuzz.tape import ODD, Tape, changed, changed_json
from tests.unit.loader.loader_examples import an_event

VALUES = 24
"""Values of one COPY."""
BETWEEN = b"\xf8"
"""Separates values; no UTF-8 text holds it."""
TEXTS = [text.encode() for text in ODD if isinstance(text, str)]
EMPTIED_AFTER = 500
EMPTY = (
    "TRUNCATE listening_history, merged_record, track_features, poll, gap, loaded_batch, "
    "import_report"
)
MESSAGES = 10
"""Messages of one invocation."""


@contextmanager
def a_database() -> Iterator[tuple[Database, Database]]:
    """Yield the connections of the owner and of the loader to a Postgres of our own."""
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-") as home,
        running(Path(home)) as (owner, address_of),
    ):
        loader = Database.connect(address_of("loader"))
        yield owner, loader
        loader.close()


def make_texts(tape: Tape) -> bytes:
    texts = [changed(tape, tape.one_of(TEXTS), 3) for _ in range(VALUES)]
    return BETWEEN.join(text.replace(BETWEEN, b"") for text in texts)


@contextmanager
def copying() -> Iterator[Read]:
    with a_database() as (owner, _):
        owner.run("CREATE TEMPORARY TABLE note (id serial, one text, other text)")
        names = ("one", "other")

        def read(content: bytes) -> None:
            """Write rows of a text and a null; read the same back."""
            texts = [
                text.decode(errors="replace").replace("\0", "") for text in content.split(BETWEEN)
            ]
            rows = [[text, None] if at % 2 else [None, text] for at, text in enumerate(texts)]
            owner.copy_in("note", names, copy_text(rows))
            assert owner.run("SELECT one, other FROM note ORDER BY id") == rows
            owner.run("TRUNCATE note")

        yield read


def make_messages(tape: Tape) -> bytes:
    """Return messages, one in a line."""
    bodies = [changed_json(tape, tape.one_of(BATCHES), 1) for _ in range(1 + tape.below(MESSAGES))]
    return b"\n".join(body.replace(b"\n", b" ") for body in bodies)


@contextmanager
def loading() -> Iterator[Read]:
    with a_database() as (owner, loader):
        turn = count(1)

        def read(content: bytes) -> None:
            """Load an invocation; a message that cannot be loaded holds up no other."""
            store = Store(loader)
            if next(turn) % EMPTIED_AFTER == 0:
                owner.run(EMPTY)
            # A good message with plays of its own, whose rows are counted.
            good = {**BATCHES[0], "origin": "good"}
            bodies = [json.dumps(good), *content.decode(errors="replace").split("\n")]
            batches, unreadable = read_messages(an_event(*bodies), EnrichedBatch)
            refused = _load(list(batches.items()), store.load)
            assert "m0" not in unreadable + refused
            if unreadable or refused:
                raise NoValueError

        yield read


TARGETS = (
    Target("copy-text", make_texts, copying, choices=400),
    Target("loads", make_messages, loading, choices=200),
)
