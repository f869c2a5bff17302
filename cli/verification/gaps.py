"""Compares the polls, gaps and covered time in Postgres with what the archived answers show.

`services.collector.domain.replay` computes again which time the answers cover. Gaps are compared by
the time that they span, because an outage, which the archive does not record, gives a gap another
start and another reason.
"""

from collections.abc import Iterable, Iterator, Sequence
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
    """The times and gaps that one archived answer showed; small, as all answers stay in memory."""

    origin: str
    polled_at: datetime
    covers_from: datetime
    covered_until: datetime | None
    gaps: tuple[Gap, ...]


class StoredGap(NamedTuple):
    """A gap in Postgres, open from `open_from` to `ended_at`, which is None while it lasts."""

    open_from: datetime
    started_at: datetime
    ended_at: datetime | None
    is_open: bool
    awaits: str | None


class Watched(NamedTuple):
    """The first and the last poll that Postgres knows, and the times that uploads cover."""

    first: datetime | None
    last: datetime | None
    uploads: Sequence[Interval]


@dataclass
class GapDifferences:
    """How polls and gaps in Postgres differ from the archive; all lists empty if they agree."""

    unknown: list[Seen]
    """Answers that Postgres does not know."""
    missing: list[Gap]
    """Gaps that should be open."""
    closable: list[Gap]
    """Gaps that should be closed, as reports that close them."""
    miscounted: list[Interval]
    """Time that counts as known although the answers that cover it are not in Postgres."""


def seen(poll: Poll) -> Seen:
    """Return the times and gaps of a poll, without its plays, for the comparison of gaps."""
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
        watched: The first and the last poll in Postgres, and the times that uploads cover.
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
    """Return those of the `origins` whose polls are in Postgres."""
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
    """Yield the expected gaps that no gap in Postgres (open or closed) and no upload covers."""
    gaps = _spans(stored, answers)
    nearly = [*map(_widened, gaps), *watched.uploads]
    for gap, span in zip(expected, _spans(expected, answers), strict=True):
        # A short gap may lie in the slack of its neighbours.
        is_absent = without([span], [*gaps, *watched.uploads]) == [span]
        if is_absent or longer(without([span], nearly), SLACK):
            yield gap


def _closable(
    expected: Sequence[Gap], stored: Sequence[StoredGap], answers: Sequence[Seen]
) -> Iterator[Gap]:
    """Yield a closed copy of each open gap in Postgres that the archived answers cover.

    Each has an end, because the loader keeps a gap closed for ever if its report has none.
    """
    doubtful = _spans(expected, answers)
    for gap in stored:
        # That of a missing answer goes once the answer is there.
        if not gap.is_open or gap.awaits:
            continue
        end = _covered_end(gap, answers)
        if end and not _holds_doubt(Interval(gap.open_from, end), doubtful):
            yield Gap(started_at=gap.started_at, ended_at=end, reason=REACHED_BACK, is_closed=True)


def _covered_end(gap: StoredGap, answers: Sequence[Seen]) -> datetime | None:
    """Return the end of a gap; None if the answers do not cover the gap.

    A gap without an end lasts until an answer shows a play after its start.
    """
    if not answers or answers[0].covers_from - SLACK > gap.open_from:
        return None
    least = gap.ended_at or gap.open_from + SLACK
    later = (each for each in answers if each.covered_until and each.covered_until >= least)
    found = next(later, None)
    return found and (gap.ended_at or found.polled_at)


def _holds_doubt(span: Interval, doubtful: Sequence[Interval]) -> bool:
    """True if plays may be missing within a span, according to the answers."""
    wide = _widened(span)
    return bool(longer(within(doubtful, span), SLACK)) or any(
        wide.start <= each.start and each.end <= wide.end for each in doubtful
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


def _spans(gaps: Iterable[Gap | StoredGap], answers: Sequence[Seen]) -> list[Interval]:
    return [Interval(gap.started_at, _end(gap, answers)) for gap in gaps]


def _widened(span: Interval) -> Interval:
    return Interval(span.start - SLACK, span.end + SLACK)


def _end(gap: Gap | StoredGap, answers: Sequence[Seen]) -> datetime:
    """Return the end of a gap; if it has none, the time of the last answer."""
    if gap.ended_at:
        return gap.ended_at
    least = gap.started_at + SLACK
    return max(least, answers[-1].polled_at) if answers else least
