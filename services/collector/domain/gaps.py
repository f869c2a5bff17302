"""When plays may have been missed: what an answer covers, and what a time without one leaves; pure.

Spotify shows 50 plays, and a play takes 30 s. While it does not answer for longer than those can
pass, plays may slip out of its sight: that opens a gap. The next answers tell whether it was one.
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
"""For so long at least (25 minutes) Spotify goes on showing a play."""

MOVE = timedelta(seconds=1)
"""Spotify moves the end of a play by less than this from one answer to the next."""

STEP = timedelta(milliseconds=1)

FELL_SHORT = "a full answer did not reach back to the plays before: Spotify shows only 50"
UNREADABLE = "Spotify shows plays that cannot be read; the archive keeps them as they came"
STAYED_SHORT = "answers stayed short and did not reach back to the plays before"
REACHED_BACK = "nothing was missed: the next answer reached back to the plays before"

HARDLY_ANY = 20
"""Plays that a new listener may have; the short answers of others that were seen hold about 40."""

MOST_DOUBTFUL = 20
"""Gaps of short answers that are remembered: some accounts never get whole ones."""

SHORT_ANSWERS = 3
"""So many short answers in a row, over `IN_SIGHT`, are no passing whim of Spotify's."""


class ShortAnswers(BaseModel):
    """Short answers in a row that did not reach back; empty ones say nothing and do not count."""

    model_config = ConfigDict(frozen=True)

    since: BoundedInstant
    count: int = 1

    def another(self) -> Self:
        """Count one more."""
        return self.model_copy(update={"count": self.count + 1})

    def last_on(self, now: datetime) -> bool:
        """Whether Spotify shows fewer than 50 plays for good: some accounts never get more."""
        return self.count >= SHORT_ANSWERS and now - self.since >= IN_SIGHT


class Since(NamedTuple):
    """From when on no play is missing as far as anyone can tell, before an answer comes."""

    covered_until: datetime | None
    """The end of the last play up to which plays are covered; None before the first."""
    watched_since: datetime | None = None
    """When Spotify answered first, while coverage has not begun."""
    oldest_known: datetime | None = None
    """The end of the oldest play known."""


@dataclass(frozen=True)
class Coverage:
    """How far plays are covered, and what is to be told of a gap."""

    until: datetime | None
    """The end of the last play up to which no play is missing, as far as anyone can tell."""
    gap: Gap | None = None
    """The gap that an answer opened, found, ended or closed."""
    outage: Gap | None = None
    """The gap that was told of and is not decided yet."""
    short: ShortAnswers | None = None
    """The answers that left it undecided whether plays are missing."""


def cover(
    since: Since,
    outage: Gap | None,
    answer: RecentlyPlayed,
    polled_at: datetime,
    short: ShortAnswers | None = None,
) -> Coverage:
    """Tell how far plays are covered with an answer, and whether any may be missing before it.

    An answer covers all that ended since its oldest play. When that is later than the coverage
    before, a full answer may have pushed plays out; a short one may merely have shrunk, and proves
    nothing: the next answer decides, or that they stay short. Where none showed a play before, they
    may stay short because hardly any was played.

    A row that cannot be read may be a lost play. So an answer covers only what is newer than all
    such rows, and opens a gap at once if that does not reach back.
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
        if not short.last_on(polled_at):
            return Coverage(since.covered_until, outage=outage, short=short)
        if since.covered_until is None and not outage and _shows_all(since, answer, oldest):
            return Coverage(newest)
        reason = STAYED_SHORT
    if outage and outage.reason != reason:
        reason = f"{reason}; before it, {outage.reason}"
    return Coverage(newest, Gap(started_at=before, ended_at=oldest, reason=reason))


def find_late_loss(
    since: Since, answer: RecentlyPlayed, archived: Container[str], doubtful: Iterable[Gap]
) -> Gap | None:
    """Open a gap around unreadable rows that show up late, in a time that was covered before.

    Args:
        since: What was covered before the answer.
        answer: What Spotify shows now.
        archived: Digests of the unreadable rows of earlier answers.
        doubtful: Open gaps, in which such a row opens no other.
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
    # The newest comes first. A closed gap may begin at the same play, and the start is the key.
    return Gap(started_at=spans[-1][0] + STEP, ended_at=spans[0][1], reason=UNREADABLE)


def part_doubtful(
    doubtful: Iterable[Gap], answer: RecentlyPlayed, polled_at: datetime
) -> tuple[tuple[Gap, ...], tuple[Gap, ...]]:
    """Part the gaps that an answer closes, for it reaches back to their start, from the others.

    Args:
        doubtful: Gaps that short answers left; Spotify's windows fill up again.
        answer: What Spotify shows now.
        polled_at: When it was asked.

    Returns:
        What is to be told of the closed ones, and the others.
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
    """Return the end of the oldest play that an answer covers; one in the future does not count."""
    return min((p.played_at for p in answer.unbroken if p.played_at <= polled_at), default=None)


def _lies_in(gaps: Iterable[Gap], start: datetime, end: datetime) -> bool:
    return any(g.started_at < start + MOVE and g.ended_at and end < g.ended_at + MOVE for g in gaps)


def _hidden(since: Since, answer: RecentlyPlayed, polled_at: datetime) -> Gap | None:
    """Open a gap if not even the newest row can be read; the next answers decide about it."""
    if not answer.hides_plays:
        return None
    started_at = since.covered_until or since.watched_since or polled_at
    return Gap(started_at=started_at, reason=UNREADABLE)


def _shows_all(since: Since, answer: RecentlyPlayed, oldest: datetime) -> bool:
    """Tell whether short answers are those of a listener who has hardly played anything yet.

    Of one whose answers are always short they fill up, and what was shown before slides out.
    """
    slid = since.oldest_known is not None and since.oldest_known <= oldest - MOVE
    return answer.returned <= HARDLY_ANY and not slid


def _reached_back(
    covered_until: datetime, outage: Gap | None, newest: datetime, polled_at: datetime
) -> Coverage:
    if outage is None:
        return Coverage(max(covered_until, newest))
    # A gap is told apart by its start: one that begins later must not pass for the closed one.
    return Coverage(max(covered_until + STEP, newest), _close(outage, polled_at))


def _close(gap: Gap, polled_at: datetime) -> Gap:
    return gap.model_copy(update={"ended_at": polled_at, "reason": REACHED_BACK, "is_closed": True})
