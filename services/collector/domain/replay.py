"""Replays the archived answers of one listener; pure.

The collector archives every answer that changes what it knows, so a replay gives the same plays and
gaps. It knows of no outage and of no lost state: a gap that an archived answer covers is none.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.collector.domain.window import Comparison, Window, compare
from shared.models import Gap
from shared.spotify.wire import RecentlyPlayed


def replay(answers: Iterable[tuple[datetime, RecentlyPlayed]]) -> Iterator[Comparison]:
    """Compare each answer with those before it, as the collector did.

    Args:
        answers: All archived answers with the times of their polls, the oldest first.
    """
    window, outage = Window(), None
    for polled_at, answer in answers:
        found = compare(window, answer, polled_at, outage)
        yield found
        window, outage = found.window, found.outage


def open_gaps(reported: Iterable[Gap]) -> list[Gap]:
    """Return the gaps that stay open after these reports, sorted by their start.

    Args:
        reported: The gaps of all polls, in order; those that a poll closed come before its own.
    """
    gaps: dict[datetime, Gap] = {}
    for gap in reported:
        if gap.is_closed:
            gaps.pop(gap.started_at, None)
        else:
            gaps[gap.started_at] = gap
    return [gaps[start] for start in sorted(gaps)]
