"""Checks one listener's answers, gaps, coverage, collector state and counts of loaded rows."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from cli.statements import STATEMENTS
from cli.target import Target
from cli.verification.findings import Examples, Finding
from cli.verification.gaps import GapDifferences, Seen, Watched, compare_gaps
from cli.verification.intervals import Interval, seconds
from services.collector.state import ListenerStates
from shared.models import Gap, iso
from shared.queries import Reader

STATE_AGE = timedelta(minutes=1)
"""Longer than a poll takes from its report to the save of the state."""

Uploads = Mapping[str, tuple[str, Sequence[Interval]]]
"""The listener of each completely loaded upload, and what it covers, by origin."""


class _Holdings(NamedTuple):
    """A listener's row count, the one that `loaded_batch` adds up to, and first and last poll."""

    rows: int
    booked: int
    first_polled_at: datetime | None
    last_polled_at: datetime | None


class PollChecks:
    """Checks the polls of one listener, since an instant or of all time."""

    def __init__(
        self, target: Target, reader: Reader, listener: str, start: datetime | None
    ) -> None:
        self._target = target
        self._reader = reader
        self._listener = listener
        self._start = start

    def run(self, answers: Sequence[Seen], uploads: Sequence[Interval]) -> list[Finding]:
        """Run all checks; return their findings.

        Args:
            answers: All archived answers of the listener, the oldest first.
            uploads: The times that completely loaded uploads cover.
        """
        found, held = self.compare(answers, uploads)
        return [*self._of_gaps(found), *self._of_state(held), *self._of_ledger(held)]

    def compare(
        self, answers: Sequence[Seen], uploads: Sequence[Interval]
    ) -> tuple[GapDifferences, _Holdings]:
        """Compare archived answers with Postgres; return differences, and counts in Postgres."""
        rows = self._reader.run(STATEMENTS["verify_listeners"], listeners=self._listener)
        held = _Holdings(*rows[0][1:])
        watched = Watched(held.first_polled_at, held.last_polled_at, uploads)
        return compare_gaps(self._reader, self._listener, answers, watched), held

    def _of_gaps(self, found: GapDifferences) -> Iterator[Finding]:
        listener = self._listener
        rebuild = f"plays rebuild --listener {listener}"
        unknown = [each for each in found.unknown if self._is_recent(each.polled_at)]
        missing = [gap for gap in found.missing if self._is_recent(gap.ended_at)]
        closable = [gap for gap in found.closable if self._is_recent(gap.ended_at)]
        miscounted = [span for span in found.miscounted if self._is_recent(span.end)]
        if unknown:
            since = f"{rebuild} --from {iso(unknown[0].polled_at)}"
            yield from Examples(each.origin for each in unknown).finding(
                "answers not in Postgres", listener, since
            )
        yield from Examples(map(_gap_text, missing)).finding(
            "gaps that should be open", listener, rebuild
        )
        yield from Examples(map(_gap_text, closable)).finding(
            "gaps that should be closed", listener, rebuild
        )
        texts = (f"{iso(span.start)} to {iso(span.end)}" for span in miscounted)
        yield from Examples(texts).finding(
            "time counted as known", listener, rebuild, seconds(miscounted)
        )

    def _of_state(self, held: _Holdings) -> Iterator[Finding]:
        table = self._target.output("ListenerStateTable")
        states = ListenerStates(self._target.client("dynamodb"), table)
        polled_at, last = states.load(self._listener).polled_at, held.last_polled_at
        if last is None or (polled_at and polled_at + STATE_AGE >= last):
            return
        text = f"a poll at {iso(polled_at)}" if polled_at else "no poll"
        yield from Examples([f"it knows {text}, Postgres one at {iso(last)}"]).finding(
            "collector's state is older",
            self._listener,
            f"plays poll --wait --listener {self._listener}",
        )

    def _of_ledger(self, held: _Holdings) -> Iterator[Finding]:
        if held.rows != held.booked:
            text = f"{held.rows:,} rows, but loaded_batch adds up to {held.booked:,}"
            yield from Examples([text]).finding(
                "ledger does not add up",
                self._listener,
                "please report this as a bug, unless a person changed loaded_batch",
            )

    def _is_recent(self, end: datetime | None) -> bool:
        return self._start is None or end is None or end >= self._start


def complete_uploads(reader: Reader) -> Uploads:
    """Read which uploads are loaded completely, and the times that they cover."""
    found: dict[str, tuple[str, list[Interval]]] = {}
    for origin, listener, start, end in reader.run(STATEMENTS["verify_uploads"]):
        _, covered = found.setdefault(origin, (listener, []))
        if start is not None:
            covered.append(Interval(start, end))
    return found


def covered_by_uploads(uploads: Uploads, listener: str) -> list[Interval]:
    """Return the times that the uploads of one listener cover."""
    return [span for owner, spans in uploads.values() if owner == listener for span in spans]


def _gap_text(gap: Gap) -> str:
    end = iso(gap.ended_at) if gap.ended_at else "now"
    return f"{iso(gap.started_at)} to {end}: {gap.reason}"
