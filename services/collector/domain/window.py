"""Finds the new plays in an answer of recently-played, given the plays of earlier answers; pure.

Each answer shows the newest 50 plays, so answers overlap, and a play with a known key is not new.
Real answers also shrink, even to nothing, and fill up again; they show plays days late, and move
plays by some milliseconds. So the keys of several answers are kept, and `covered_until` says up to
when plays are complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from services.collector.domain.gaps import (
    MOST_OPEN_GAPS,
    MOVE,
    ShortAnswers,
    Since,
    cover,
    find_late_gap,
    oldest_play,
    split_gaps,
)
from shared.models import BoundedInstant, Gap, Play, PollReport
from shared.spotify.wire import RecentlyPlayed

CLOCK_SLACK = timedelta(days=1)
"""How far two clocks may differ."""

KNOWN_KEYS = 200
"""Most keys to keep: those of four full answers."""


class Key(NamedTuple):
    """The key of a play of one listener."""

    played_at: BoundedInstant
    track_uri: str


class Window(BaseModel):
    """What the collector stores from one poll to the next: known plays, coverage, open gaps."""

    model_config = ConfigDict(frozen=True)

    known: tuple[Key, ...] = ()
    """The keys of plays, oldest first."""
    covered_until: BoundedInstant | None = None
    """Plays that ended by this instant are complete, except in gaps."""
    watched_since: BoundedInstant | None = None
    """The time of the first answer; None once a play is known."""
    unreadable: tuple[str, ...] = ()
    """Digests of unreadable rows that are in the archive."""
    short: ShortAnswers | None = None
    """The current run of short answers; plays between it and the known plays may be missing."""
    doubtful: tuple[Gap, ...] = ()
    """Open gaps from short answers or unreadable rows. An answer that reaches their start closes
    them."""
    archived_at: BoundedInstant | None = None
    """The time of the last archived answer."""

    @property
    def is_new(self) -> bool:
        """True before the first answer."""
        return not self.known and self.covered_until is None and self.watched_since is None

    def newest(self, now: datetime) -> datetime | None:
        """Return the end of the newest known play, ignoring plays in the future (a wrong clock)."""
        return max((key.played_at for key in self.known if key.played_at <= now), default=None)


@dataclass(frozen=True)
class Comparison:
    """The result of comparing an answer with the known plays.

    `plays` holds the new and the moved plays, oldest first.
    """

    plays: tuple[Play, ...]
    report: PollReport
    is_worth_keeping: bool
    """True if the answer changes what is known: the archived answers alone give the same gaps."""
    window: Window
    """The window to store after the answer."""
    outage: Gap | None
    """The open gap of an outage that the answer neither ended nor closed."""


def compare(
    window: Window, answer: RecentlyPlayed, polled_at: datetime, outage: Gap | None = None
) -> Comparison:
    """Compare an answer with the plays of earlier answers: find new plays, and gaps.

    Args:
        window: What the previous poll stored.
        answer: Spotify's answer to this poll.
        polled_at: The time of the poll.
        outage: The open gap of an outage; None if there is none.
    """
    answer = _without_known(answer, window.known)
    new, moved = _split(window.known, answer.plays)
    newest = window.newest(polled_at)
    late = [play for play in new if newest and play.played_at < newest]
    oldest_known = window.known[0].played_at if window.known else None
    covered_until = _plausible(window.covered_until, polled_at)
    watched_since = _plausible(window.watched_since, polled_at)
    since = Since(covered_until, watched_since, oldest_known)
    coverage = cover(since, outage, answer, polled_at, window.short)
    late_gap = find_late_gap(since, answer, window.unreadable, window.doubtful)
    # A report holds one gap. The next poll reports a late gap that has to wait, because its row
    # does not count as archived yet.
    archived = () if late_gap and coverage.gap else answer.unreadable
    gap = coverage.gap or late_gap
    closed, doubtful = split_gaps(window.doubtful, answer, polled_at)
    is_ended = gap and gap.ended_at and not gap.is_closed
    if gap and is_ended and (answer.hides_plays or not answer.is_full):
        doubtful = (*doubtful, gap)[-MOST_OPEN_GAPS:]
    watched_next = None if coverage.until else watched_since or polled_at
    is_worth_keeping = bool(
        (new or moved or set(answer.unreadable) - set(window.unreadable) or gap or closed)
        # What `gaps` needs to judge the next answers.
        or (coverage.until, watched_next, coverage.short, coverage.outage)
        != (window.covered_until, window.watched_since, window.short, outage)
    )
    return Comparison(
        plays=tuple(sorted((*new, *moved), key=_key)),
        report=PollReport(
            polled_at=polled_at,
            returned=answer.returned,
            new=len(new),
            late=len(late),
            moved=len(moved),
            unreadable=len(answer.unreadable),
            gap=gap,
            closed=closed,
            covers_from=covered_until
            or watched_since
            or oldest_play(answer, polled_at)
            or polled_at,
            follows=window.archived_at,
            is_first=window.is_new,
        ),
        is_worth_keeping=is_worth_keeping,
        window=Window(
            known=_remember(window.known, map(_key, answer.plays)),
            covered_until=coverage.until,
            watched_since=watched_next,
            # Without duplicates, the newest first.
            unreadable=tuple(dict.fromkeys((*archived, *window.unreadable)))[:KNOWN_KEYS],
            short=coverage.short,
            doubtful=doubtful,
            archived_at=polled_at if is_worth_keeping else window.archived_at,
        ),
        outage=coverage.outage,
    )


def _plausible(instant: datetime | None, polled_at: datetime) -> datetime | None:
    """Return a stored instant, or `polled_at` if the instant is more than a day later.

    An instant so far in the future comes from a damaged record, and would hide every gap before it.
    """
    return polled_at if instant and instant > polled_at + CLOCK_SLACK else instant


def _without_known(answer: RecentlyPlayed, known: Iterable[Key]) -> RecentlyPlayed:
    """Remove unreadable rows that end when a known play ended, because that play is not lost."""
    hidden = tuple(
        row
        for row in answer.hidden
        if not (row.played_at and any(abs(row.played_at - key.played_at) < MOVE for key in known))
    )
    return replace(answer, hidden=hidden)


def _key(play: Play) -> Key:
    return Key(play.played_at, play.track_uri)


def _split(known: Iterable[Key], plays: Iterable[Play]) -> tuple[list[Play], list[Play]]:
    """Return the new plays, and the known plays whose end Spotify has moved by less than 1 s."""
    seen = set(known)
    new: list[Play] = []
    moved: list[Play] = []
    for play in plays:
        key = _key(play)
        if key in seen:
            continue
        (moved if any(_is_moved(key, other) for other in seen) else new).append(play)
        seen.add(key)
    return new, moved


def _is_moved(key: Key, other: Key) -> bool:
    """True if two keys are of one play whose end Spotify has moved: one track, under 1 s apart."""
    return key.track_uri == other.track_uri and abs(key.played_at - other.played_at) < MOVE


def _remember(known: Iterable[Key], shown: Iterable[Key]) -> tuple[Key, ...]:
    """Return all keys of the answer, and the newest known keys, together at most `KNOWN_KEYS`."""
    current = set(shown)
    others = sorted(set(known) - current, reverse=True)[: max(0, KNOWN_KEYS - len(current))]
    return tuple(sorted(current.union(others)))
