"""Puts the plays of one origin into messages; the last message carries the report.

Batch boundaries depend on the plays alone, so reading an upload again publishes the same messages.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from shared.models import BATCH_BYTES, PLAYS_PER_BATCH, Play, Report, Source


class Batches:
    """Publishes `PlayBatch` messages for the plays of one origin, in order.

    A play is a `Play`, or a dict of its fields (see `HistoryPlay`).
    """

    def __init__(
        self, publish: Callable[[str], None], listener: str, source: Source, origin: str
    ) -> None:
        self._publish = publish
        self._head = {
            "schema_version": 1,
            "listener": listener,
            "source": source,
            "origin": origin,
        }
        self._waiting: list[Play | Mapping[str, Any]] = []
        self._number = 0

    def add(self, plays: Sequence[Play | Mapping[str, Any]]) -> None:
        """Add plays; publish each full batch."""
        self._waiting += plays
        while len(self._waiting) >= PLAYS_PER_BATCH:
            self._send(self._waiting[:PLAYS_PER_BATCH])
            del self._waiting[:PLAYS_PER_BATCH]

    def finish(self, report: Callable[[int], Report]) -> int:
        """Publish the remaining plays and the report, which gets its own batch if it does not fit.

        Args:
            report: Returns the report, given the number of batches.

        Returns:
            The number of batches.
        """
        body = self._body(self._waiting, report(self._number + 1))
        if len(body) > BATCH_BYTES:
            self._send(self._waiting)
            body = self._body([], report(self._number + 1))
        self._publish(body.decode())
        return self._number + 1

    def _send(self, plays: Sequence[Play | Mapping[str, Any]]) -> None:
        """Publish plays in one message, or in halves if it would exceed `BATCH_BYTES`."""
        body = self._body(plays)
        if len(body) > BATCH_BYTES:
            middle = len(plays) // 2
            self._send(plays[:middle])
            self._send(plays[middle:])
        else:
            self._publish(body.decode())
            self._number += 1

    def _body(
        self, plays: Sequence[Play | Mapping[str, Any]], report: Report | None = None
    ) -> bytes:
        batch = {**self._head, "number": self._number, "plays": plays, "report": report}
        return to_json(batch, exclude_none=True)
