"""What an answer of recently-played adds to what was known before; pure.

Answers overlap on purpose: each shows the newest 50 plays, and what earlier answers showed is
known by its key. Real answers also shrink, to as few as none, and fill up again; they show plays
late, by days, and move plays by some milliseconds. So keys are kept well beyond one answer, and
`covered_until` tells apart what was seen from what may have been missed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from services.collector.domain.gaps import (
    MOST_DOUBTFUL,
    MOVE,
    ShortAnswers,
    Since,
    cover,
    find_late_loss,
    part_doubtful,
)
from shared.models import BoundedInstant, Gap, Play, PollReport
from shared.spotify.wire import RecentlyPlayed

KNOWN_KEYS = 200
"""Keys remembered: four full answers."""


class Key(NamedTuple):
    """What tells the plays of one listener apart."""

    played_at: BoundedInstant
    track_uri: str


class Window(BaseModel):
    """What is known of a listener's plays."""

    model_config = ConfigDict(frozen=True)

    known: tuple[Key, ...] = ()
    """The keys of plays, oldest first."""
    covered_until: BoundedInstant | None = None
    """The end of the last play up to which none is missing, as far as anyone can tell."""
    watched_since: BoundedInstant | None = None
    """When Spotify answered first, until it shows a play."""
    unreadable: tuple[str, ...] = ()
    """Digests of rows that were no readable track, and that the archive has."""
    short: ShortAnswers | None = None
    """Answers that left undecided whether plays are missing."""
    doubtful: tuple[Gap, ...] = ()
    """Open gaps, reported because answers stayed short or held unreadable rows. An answer that
    reaches back closes them."""

    def newest(self, now: datetime) -> datetime | None:
        """Find when the newest known play ended; one that ends in the future had a wrong clock."""
        return max((key.played_at for key in self.known if key.played_at <= now), default=None)


@dataclass(frozen=True)
class Comparison:
    """What one answer adds. `plays` are the new and the moved ones, oldest first."""

    plays: tuple[Play, ...]
    report: PollReport
    is_worth_keeping: bool
    window: Window
    """What is known from now on."""
    outage: Gap | None
    """The outage of before, while nobody can tell whether plays were missed in it."""


def compare(
    window: Window, answer: RecentlyPlayed, polled_at: datetime, outage: Gap | None = None
) -> Comparison:
    """Compare an answer, asked for at `polled_at`, with what was known before it.

    Args:
        window: What was known.
        answer: What Spotify shows now.
        polled_at: When it was asked.
        outage: The gap that a time without answers opened, if there was one.
    """
    answer = _without_known(answer, window.known)
    new, moved = _part(window.known, answer.plays)
    newest = window.newest(polled_at)
    late = [play for play in new if newest and play.played_at < newest]
    oldest_known = window.known[0].played_at if window.known else None
    since = Since(window.covered_until, window.watched_since, oldest_known)
    coverage = cover(since, outage, answer, polled_at, window.short)
    late_loss = find_late_loss(since, answer, window.unreadable, window.doubtful)
    # A report has room for one gap; the next answer shows a late row again.
    archived = () if late_loss and coverage.gap else answer.unreadable
    gap = coverage.gap or late_loss
    closed, doubtful = part_doubtful(window.doubtful, answer, polled_at)
    is_ended = gap and gap.ended_at and not gap.is_closed
    if gap and is_ended and (answer.hides_plays or not answer.is_full):
        doubtful = (*doubtful, gap)[-MOST_DOUBTFUL:]
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
        ),
        is_worth_keeping=bool(new or moved or set(answer.unreadable) - set(window.unreadable)),
        window=Window(
            known=_remember(window.known, map(_key, answer.plays)),
            covered_until=coverage.until,
            watched_since=None if coverage.until else window.watched_since or polled_at,
            # Distinct, the latest first.
            unreadable=tuple(dict.fromkeys((*archived, *window.unreadable)))[:KNOWN_KEYS],
            short=coverage.short,
            doubtful=doubtful,
        ),
        outage=coverage.outage,
    )


def _without_known(answer: RecentlyPlayed, known: Iterable[Key]) -> RecentlyPlayed:
    """Drop the hidden rows of known plays: what could be read once is not lost."""
    hidden = tuple(
        row
        for row in answer.hidden
        if not (row.played_at and any(abs(row.played_at - key.played_at) < MOVE for key in known))
    )
    return replace(answer, hidden=hidden)


def _key(play: Play) -> Key:
    return Key(play.played_at, play.track_uri)


def _part(known: Iterable[Key], plays: Iterable[Play]) -> tuple[list[Play], list[Play]]:
    """Part the plays whose key is not known into new ones and moved ones."""
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
    """Tell whether two keys are of one play that moved: a play needs 30 s."""
    return key.track_uri == other.track_uri and abs(key.played_at - other.played_at) < MOVE


def _remember(known: Iterable[Key], shown: Iterable[Key]) -> tuple[Key, ...]:
    """Keep all keys of the answer, and the newest of the others."""
    current = set(shown)
    others = sorted(set(known) - current, reverse=True)[: max(0, KNOWN_KEYS - len(current))]
    return tuple(sorted(current.union(others)))
