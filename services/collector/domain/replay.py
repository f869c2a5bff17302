"""Replays the archived answers of one listener; pure.

The collector archives every answer with new plays, unreadable rows or gaps, so a replay finds the
same plays and gaps. Outages and a lost state are not archived: a replay opens no gap for them if an
archived answer covers the time.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from services.collector.domain.window import Comparison, Window, compare
from shared.models import Gap
from shared.spotify.wire import RecentlyPlayed


def replay(answers: Iterable[tuple[datetime, RecentlyPlayed]]) -> Iterator[Comparison]:
    """Compare each archived answer with those before it, as the collector did; yield the results.

    Args:
        answers: All archived answers with the times of their polls, the oldest first.
    """
    window, outage = Window(), None
    for polled_at, answer in answers:
        found = compare(window, answer, polled_at, outage)
        yield found
        window, outage = found.window, found.outage


def open_gaps(reported: Iterable[Gap]) -> list[Gap]:
    """Return the gaps that no poll has closed, sorted by their start.

    Args:
        reported: The gaps that each poll reported, in the order of the polls: first the older gaps
            that it closed, then the gap that it opened, ended or closed.
    """
    gaps: dict[datetime, Gap] = {}
    for gap in reported:
        if gap.is_closed:
            gaps.pop(gap.started_at, None)
        else:
            gaps[gap.started_at] = gap
    return [gaps[start] for start in sorted(gaps)]
