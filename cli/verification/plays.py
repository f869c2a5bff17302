"""Compares one listener's rows in Postgres with the rows that follow from the archive."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from cli.verification.findings import EXAMPLES, Examples, Finding
from cli.verification.records import microseconds
from cli.verification.rows import (
    Expected,
    Stored,
    differing_fields,
    expected_rows,
    is_less_popular,
    stored_rows,
)
from services.loader.domain.records import Record
from shared.models import iso
from shared.queries import Reader

MARGIN = timedelta(hours=1)
"""Records this long before the start are merged too, because a play there may have some of them."""


class Scope(NamedTuple):
    """What is compared: the plays of one listener since `start`, as they were at `now`."""

    listener: str
    start: datetime | None
    now: datetime
    """Rows that were written later are left out, because the archive was read before."""
    window: timedelta
    """The loader's match window."""


@dataclass
class Differences:
    """The rows that differ between archive and Postgres, and the number of rows compared."""

    missing: Examples = field(default_factory=Examples)
    unsourced: Examples = field(default_factory=Examples)
    differing: Examples = field(default_factory=Examples)
    first: datetime | None = None
    """The end of the first play that is missing."""
    rows: int = 0

    def findings(self, listener: str) -> list[Finding]:
        """Return the findings, each with its next command."""
        rebuild = f"plays rebuild --listener {listener}"
        # What holds a play was archived after its end.
        since = f"{rebuild} --from {iso(self.first)}" if self.first else rebuild
        return [
            *self.missing.finding("plays missing", listener, since),
            *self.unsourced.finding(
                "plays without a source",
                listener,
                "look at these rows with `plays sql`: no upload and no answer in the archive has "
                "them. If they are wrong, delete them as role migrator",
            ),
            *self.differing.finding(
                "fields that differ",
                listener,
                f"{rebuild}. If they still differ then, delete these rows as role migrator and "
                "run it again",
            ),
        ]


def compare_plays(
    database: Reader, records: Iterator[Record], scope: Scope, on_row: Callable[[], object]
) -> Differences:
    """Compare expected with stored rows, in order of time; call `on_row` for each."""
    found = Differences()
    first, last_change = microseconds(scope.start) if scope.start else 0, microseconds(scope.now)
    begin = scope.start and scope.start - MARGIN
    for expected, stored in _pairs(
        expected_rows(records, scope.window), stored_rows(database, scope.listener, begin)
    ):
        key = (expected or stored).key  # type: ignore[union-attr]  # at least one is there
        if key[0] < first or (stored and stored.loaded_at >= last_change):
            continue
        found.rows += 1
        on_row()
        if stored is None and expected is not None:
            found.missing.add(_named(expected))
            found.first = found.first or expected.row.played_at
        elif expected is None and stored is not None:
            found.unsourced.add(f"id {stored.id}: {stored.key[1]}")
        elif expected and stored and _differs(expected, stored):
            is_shown = found.differing.count < EXAMPLES
            fields = differing_fields(database, expected, stored) if is_shown else []
            found.differing.add(f"id {stored.id}, {_named(expected)}: {', '.join(fields)}")
    return found


def _differs(expected: Expected, stored: Stored) -> bool:
    same = (expected.digest, expected.merged) == (stored.digest, stored.merged)
    return not same or is_less_popular(expected, stored)


def _named(expected: Expected) -> str:
    play = (expected.row.api or expected.row.records[0]).play
    return f"{iso(expected.row.played_at)} {play.track_name} ({play.track_uri})"


def _pairs(
    expected: Iterator[Expected], stored: Iterator[Stored]
) -> Iterator[tuple[Expected | None, Stored | None]]:
    """Pair the rows of two sorted sequences by key; None stands for a missing partner."""
    one, other = next(expected, None), next(stored, None)
    while one or other:
        if other is None or (one is not None and one.key < other.key):
            yield one, None
            one = next(expected, None)
        elif one is None or other.key < one.key:
            yield None, other
            other = next(stored, None)
        else:
            yield one, other
            one, other = next(expected, None), next(stored, None)
