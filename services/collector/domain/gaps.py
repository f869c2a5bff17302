"""Finds the gaps in which plays may be missing; pure.

Spotify shows the newest 50 plays, and a play takes at least 30 s. So after 25 minutes without an
answer it may no longer show some plays, and a gap is opened. Later answers end the gap, or close it
if they show that no play is missing.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from shared.models import BoundedInstant, Gap
from shared.spotify.wire import PAGE_ROWS, RecentlyPlayed

SHORTEST_PLAY = timedelta(seconds=30)

IN_SIGHT = PAGE_ROWS * SHORTEST_PLAY
"""The shortest time for which Spotify shows a play: 25 minutes."""

MOVE = timedelta(seconds=1)
"""Spotify moves the end of a play by less than this between answers."""

STEP = timedelta(milliseconds=1)

FELL_SHORT = "Spotify shows only 50 plays, and these did not reach back to plays already collected"
UNREADABLE = "Spotify shows plays that cannot be read; the archive keeps them as they came"
STAYED_SHORT = "answers of fewer than 50 plays did not reach back to plays already collected"
REACHED_BACK = "no play is missing: the next answer reached back to plays already collected"

NEW_LISTENER_PLAYS = 20
"""Most rows in an answer for a new listener; short answers of other accounts held about 40."""

MOST_OPEN_GAPS = 20
"""Most open gaps to remember, because accounts that get only short answers open many."""

SHORT_ANSWERS = 3
"""This many short answers in a row, over at least `IN_SIGHT`, count as permanent."""


class ShortAnswers(BaseModel):
    """Consecutive short answers (1 to 49 rows) that did not reach back to the known plays."""

    model_config = ConfigDict(frozen=True)

    since: BoundedInstant
    count: int = 1

    def another(self) -> Self:
        """Return these short answers with one more counted."""
        return self.model_copy(update={"count": self.count + 1})

    def are_permanent(self, now: datetime) -> bool:
        """True if there are enough short answers to assume that this account always gets them.

        That is `SHORT_ANSWERS` in a row, over at least `IN_SIGHT`.
        """
        return self.count >= SHORT_ANSWERS and now - self.since >= IN_SIGHT


class Since(NamedTuple):
    """What was known to be complete before this poll: no play is missing up to `covered_until`."""

    covered_until: datetime | None
    """As `Coverage.until`; None before the first play."""
    watched_since: datetime | None = None
    """The time of the first answer; None once a play is known."""
    oldest_known: datetime | None = None
    """The end of the oldest known play."""


@dataclass(frozen=True)
class Coverage:
    """The result of one answer: up to when no play is missing, and the gap to report."""

    until: datetime | None
    """Plays that ended by this instant are complete, except in gaps."""
    gap: Gap | None = None
    """The gap that the answer opened, ended or closed."""
    outage: Gap | None = None
    """The open gap of an outage that no answer has ended or closed yet."""
    short: ShortAnswers | None = None
    """The current run of short answers; plays between it and the known plays may be missing."""


def cover(
    since: Since,
    outage: Gap | None,
    answer: RecentlyPlayed,
    polled_at: datetime,
    short: ShortAnswers | None = None,
) -> Coverage:
    """Return the coverage after an answer, with the gap that it opens, ends or closes.

    The end of an outage sets the end of its gap, which stays open: plays may be missing in it. A
    gap is closed if the answer shows that no play is missing in it.

    An answer covers the time since its oldest play. If it does not reach the plays known before:

    - A full answer (50 rows) opens a gap, because Spotify may have dropped plays in between.
    - A short answer proves nothing, because answers shrink and fill up again. `SHORT_ANSWERS` of
      them open a gap, unless they show all plays of a new listener.
    - An unreadable row may be a play, so only plays newer than it count, and a gap opens at once.

    Args:
        since: What was complete before the answer.
        outage: The open gap of an outage; None if there is none.
        answer: Spotify's answer to this poll.
        polled_at: The time of the poll.
        short: The short answers just before this one; None if there were none.
    """
    oldest = oldest_play(answer, polled_at)
    if oldest is None:
        gap = None if outage else _hidden(since, answer, polled_at)
        return Coverage(since.covered_until, gap, outage=outage or gap, short=short)
    newest = max(play.played_at for play in answer.unbroken if play.played_at <= polled_at)
    before = since.covered_until or since.watched_since
    if before is None:
        return Coverage(newest)
    if oldest < before + MOVE:
        return _reached_back(before, outage, newest, polled_at)
    reason = UNREADABLE if answer.hides_plays else FELL_SHORT
    if not answer.is_full and not answer.hides_plays:
        short = short.another() if short else ShortAnswers(since=polled_at)
        if not short.are_permanent(polled_at):
            return Coverage(since.covered_until, outage=outage, short=short)
        if since.covered_until is None and not outage and _shows_all(since, answer, oldest):
            return Coverage(newest)
        reason = STAYED_SHORT
    if outage and outage.reason != reason:
        reason = f"{reason}; before it, {outage.reason}"
    return Coverage(newest, Gap(started_at=before, ended_at=oldest, reason=reason))


def find_late_gap(
    since: Since, answer: RecentlyPlayed, archived: Container[str], doubtful: Iterable[Gap]
) -> Gap | None:
    """Return a gap around new unreadable rows whose time already counted as complete.

    Returns None if there are no such rows.

    Args:
        since: What was complete before the answer.
        answer: Spotify's answer to this poll.
        archived: Digests of the unreadable rows in earlier answers.
        doubtful: Open gaps. A row that lies in one of them opens no further gap.
    """
    if since.covered_until is None or since.oldest_known is None:
        return None
    known_from, known_to = since.oldest_known, since.covered_until + MOVE
    between = list(pairwise([known_from, *(play.played_at for play in answer.plays)]))
    rows = (row for row in answer.hidden if row.newer and row.digest not in archived)
    spans = [
        (start, end)
        for start, end in (between[-row.newer] for row in rows)
        if known_from <= start < end < known_to and not _lies_in(doubtful, start, end)
    ]
    if not spans:
        return None
    # Spans are newest first. STEP keeps the start, a gap's key, distinct from that of a closed gap.
    return Gap(started_at=spans[-1][0] + STEP, ended_at=spans[0][1], reason=UNREADABLE)


def split_gaps(
    doubtful: Iterable[Gap], answer: RecentlyPlayed, polled_at: datetime
) -> tuple[tuple[Gap, ...], tuple[Gap, ...]]:
    """Split open gaps into those that an answer closes by reaching their start, and the others.

    Args:
        doubtful: Open gaps.
        answer: The answer.
        polled_at: The time of the poll.

    Returns:
        The closed gaps, and the gaps that stay open.
    """
    oldest = oldest_play(answer, polled_at)
    closed, left = [], []
    for gap in doubtful:
        if oldest is not None and oldest < gap.started_at + MOVE:
            closed.append(_close(gap, polled_at))
        else:
            left.append(gap)
    return tuple(closed), tuple(left)


def oldest_play(answer: RecentlyPlayed, polled_at: datetime) -> datetime | None:
    """Return the end of the oldest play that is newer than every unreadable row of an answer.

    Plays in the future are ignored; None if no play is left.
    """
    return min((p.played_at for p in answer.unbroken if p.played_at <= polled_at), default=None)


def _lies_in(gaps: Iterable[Gap], start: datetime, end: datetime) -> bool:
    return any(g.started_at < start + MOVE and g.ended_at and end < g.ended_at + MOVE for g in gaps)


def _hidden(since: Since, answer: RecentlyPlayed, polled_at: datetime) -> Gap | None:
    """Return an open gap if the newest rows are unreadable and may be plays; otherwise None."""
    if not answer.hides_plays:
        return None
    started_at = since.covered_until or since.watched_since or polled_at
    return Gap(started_at=started_at, reason=UNREADABLE)


def _shows_all(since: Since, answer: RecentlyPlayed, oldest: datetime) -> bool:
    """True if the listener is so new that a short answer shows all of their plays.

    The answer then has few rows, and no play that was shown earlier has disappeared.
    """
    dropped = since.oldest_known is not None and since.oldest_known <= oldest - MOVE
    return answer.returned <= NEW_LISTENER_PLAYS and not dropped


def _reached_back(
    covered_until: datetime, outage: Gap | None, newest: datetime, polled_at: datetime
) -> Coverage:
    if outage is None:
        return Coverage(max(covered_until, newest))
    # The start identifies a gap, so the next gap must start later than the closed one.
    return Coverage(max(covered_until + STEP, newest), _close(outage, polled_at))


def _close(gap: Gap, polled_at: datetime) -> Gap:
    return gap.model_copy(update={"ended_at": polled_at, "reason": REACHED_BACK, "is_closed": True})
