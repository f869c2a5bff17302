"""Compares polls, gaps and the time that counts as known with what the archived answers show.

Coverage follows from answers that reached back, which `services.collector.domain.replay` computes
again. Gaps are compared by the time in which they lie, because an outage, of which the archive
knows nothing, gives a gap another start and another reason.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from cli.archive_reader import Poll
from cli.statements import STATEMENTS
from cli.verification.intervals import Interval, longer, within, without
from services.collector.domain.gaps import REACHED_BACK
from services.collector.domain.replay import open_gaps
from shared.models import Gap
from shared.queries import Reader

SLACK = timedelta(seconds=2)
"""Spotify moves each end of a span by less than a second."""
ASKED_TOGETHER = 2_000
"""Origins in one statement: some 150 kB."""


class Seen(NamedTuple):
    """What one archived answer showed; small, because all of a listener are kept."""

    origin: str
    polled_at: datetime
    covers_from: datetime
    covered_until: datetime | None
    gaps: tuple[Gap, ...]


class StoredGap(NamedTuple):
    """A gap in Postgres; it is open from `open_from` to its end, None if it has none yet."""

    open_from: datetime
    started_at: datetime
    ended_at: datetime | None
    is_open: bool
    awaits: str | None


class Watched(NamedTuple):
    """The first and the last poll that Postgres knows, and what complete uploads cover."""

    first: datetime | None
    last: datetime | None
    uploads: Sequence[Interval]


@dataclass
class GapDifferences:
    """What Postgres lacks or has wrongly; all empty if it agrees with the archive."""

    unknown: list[Seen]
    """Answers that Postgres does not know."""
    missing: list[Gap]
    """Gaps that should be open."""
    closable: list[Gap]
    """Gaps that should be closed, as reports that close them."""
    miscounted: list[Interval]
    """Time that counts as known although the answers that cover it are not in Postgres."""


def seen(poll: Poll) -> Seen:
    """Keep of a poll what the comparison of gaps needs."""
    report, window = poll.found.report, poll.found.window
    gaps = (*report.closed, *([report.gap] if report.gap else []))
    covers_from = report.covers_from or report.polled_at
    return Seen(poll.origin, report.polled_at, covers_from, window.covered_until, gaps)


def compare_gaps(
    database: Reader, listener: str, answers: Sequence[Seen], watched: Watched
) -> GapDifferences:
    """Compare all archived answers of a listener with the polls and gaps in Postgres.

    Args:
        database: Postgres.
        listener: The listener.
        answers: All archived answers, the oldest first.
        watched: What Postgres counts as watched.
    """
    stored = [StoredGap(*row) for row in database.run(STATEMENTS["verify_gaps"], listener=listener)]
    known = known_polls(database, [each.origin for each in answers])
    expected = open_gaps(gap for each in answers for gap in each.gaps)
    return GapDifferences(
        unknown=[each for each in answers if each.origin not in known],
        missing=list(_missing(expected, stored, answers, watched)),
        closable=list(_closable(expected, stored, answers)),
        miscounted=_miscounted(answers, known, stored, watched),
    )


def known_polls(database: Reader, origins: Sequence[str]) -> set[str]:
    """Return those of the answers that Postgres knows."""
    return {
        origin
        for start in range(0, len(origins), ASKED_TOGETHER)
        for (origin,) in database.run(
            STATEMENTS["verify_polls"], origins=",".join(origins[start : start + ASKED_TOGETHER])
        )
    }


def _missing(
    expected: Sequence[Gap],
    stored: Sequence[StoredGap],
    answers: Sequence[Seen],
    watched: Watched,
) -> Iterator[Gap]:
    """Yield the gaps that lie neither in a gap of Postgres, open or closed, nor in an upload."""
    there = [_whole(gap, answers) for gap in stored]
    for gap in expected:
        if longer(without([_span(gap, answers)], [*there, *watched.uploads]), SLACK):
            yield gap


def _closable(
    expected: Sequence[Gap], stored: Sequence[StoredGap], answers: Sequence[Seen]
) -> Iterator[Gap]:
    """Yield reports that close the gaps over which the answers reach back."""
    if not answers or answers[-1].covered_until is None:
        return
    covered = Interval(answers[0].covers_from - SLACK, answers[-1].covered_until)
    doubtful = [_span(gap, answers) for gap in expected]
    for gap in stored:
        # That of a missing answer goes once the answer is there.
        if not gap.is_open or gap.awaits:
            continue
        span = Interval(gap.open_from, gap.ended_at or gap.open_from + SLACK)
        is_covered = covered.start <= span.start and span.end <= covered.end + SLACK
        if is_covered and not longer(within(doubtful, span), SLACK):
            yield Gap(
                started_at=gap.started_at,
                ended_at=gap.ended_at,
                reason=REACHED_BACK,
                is_closed=True,
            )


def _miscounted(
    answers: Sequence[Seen],
    known: set[str],
    stored: Sequence[StoredGap],
    watched: Watched,
) -> list[Interval]:
    if watched.first is None or watched.last is None:
        return []
    lost: list[Interval] = []
    for place, each in enumerate(answers):
        if each.origin not in known:
            # Once the next answer came, what this one showed counts as known.
            after = answers[place + 1].covers_from if place + 1 < len(answers) else each.polled_at
            lost.append(Interval(each.covers_from, after))
    doubtful = [Interval(gap.open_from, _end(gap, answers)) for gap in stored if gap.is_open]
    counted = within(lost, Interval(watched.first, watched.last))
    return longer(without(counted, [*doubtful, *watched.uploads]), SLACK)


def _span(gap: Gap, answers: Sequence[Seen]) -> Interval:
    return Interval(gap.started_at, gap.ended_at or answers[-1].polled_at)


def _whole(gap: StoredGap, answers: Sequence[Seen]) -> Interval:
    return Interval(gap.started_at - SLACK, _end(gap, answers) + SLACK)


def _end(gap: StoredGap, answers: Sequence[Seen]) -> datetime:
    last = answers[-1].polled_at if answers else gap.started_at
    return gap.ended_at or max(gap.started_at, last)
