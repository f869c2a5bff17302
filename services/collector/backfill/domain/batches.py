"""Cuts the plays of one upload into messages, the last of which reports on the upload.

The messages are `shared.models.PlayBatch`, written from dicts: a million plays need not become
objects to become text. The cuts depend on the plays alone, so an upload that is read again
publishes the same batches again.
"""

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from services.collector.backfill.domain.rows import HistoryPlay
from shared.models import BATCH_BYTES, PLAYS_PER_BATCH, UploadReport


class HistoryBatch(TypedDict):
    """A `PlayBatch` whose plays are dicts."""

    schema_version: Literal[1]
    listener: str
    source: Literal["extended-history"]
    origin: str
    number: int
    plays: list[HistoryPlay]
    report: UploadReport | None


class HistoryBatches:
    """Publishes the plays of one upload, in their order, then its report."""

    def __init__(self, publish: Callable[[str], None], listener: str, origin: str) -> None:
        self._publish = publish
        self._listener = listener
        self._origin = origin
        self._waiting: list[HistoryPlay] = []
        self._number = 0

    def add(self, plays: Sequence[HistoryPlay]) -> None:
        """Take plays over; publish those that fill a batch."""
        self._waiting += plays
        while len(self._waiting) >= PLAYS_PER_BATCH:
            self._send(self._waiting[:PLAYS_PER_BATCH])
            del self._waiting[:PLAYS_PER_BATCH]

    def finish(self, report: UploadReport) -> None:
        """Publish what is left and the report, whose `batches` is filled in."""
        body = self._body(self._waiting, self._numbered(report))
        if len(body) > BATCH_BYTES:
            self._send(self._waiting)
            body = self._body([], self._numbered(report))
        self._publish(body.decode())

    def _numbered(self, report: UploadReport) -> UploadReport:
        return report.model_copy(update={"batches": self._number + 1})

    def _send(self, plays: list[HistoryPlay]) -> None:
        body = self._body(plays)
        if len(body) > BATCH_BYTES:
            middle = len(plays) // 2
            self._send(plays[:middle])
            self._send(plays[middle:])
        else:
            self._publish(body.decode())
            self._number += 1

    def _body(self, plays: list[HistoryPlay], report: UploadReport | None = None) -> bytes:
        batch = HistoryBatch(
            schema_version=1,
            listener=self._listener,
            source="extended-history",
            origin=self._origin,
            number=self._number,
            plays=plays,
            report=report,
        )
        return _BATCH.dump_json(batch, exclude_none=True)


_BATCH = TypeAdapter(HistoryBatch)
