"""Heal pending tracks: ask for them again, and publish what the sources answer.

The features of each chunk of tracks are published, then saved in the cache: after a crash in
between they are published again, never lost. Two concurrent healings ask for some tracks twice, and
write the same entries.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.enricher.cache.pending import DueTracks
from services.enricher.chunks import chunks
from services.enricher.lookup import Lookup
from services.enricher.sources.source import TRACKS_PER_CALL
from shared.models import EnrichedBatch, TrackUri, iso
from shared.queues import Queue


class HealRequest(BaseModel):
    """The event of the healer: which tracks to ask for again, and at most how many."""

    model_config = ConfigDict(frozen=True)

    tracks: tuple[TrackUri, ...] | None = None
    """The tracks to ask for, even if known or not yet due; None asks for all due tracks."""
    most: Annotated[int, Field(ge=1)] | None = None
    """Most tracks to ask for, if fewer than the deployment allows."""


class Healing(BaseModel):
    """The result of one healing; each number counts tracks."""

    model_config = ConfigDict(frozen=True)

    asked: int = 0
    learned: int = 0
    missed: int = 0
    postponed: int = 0
    remaining: int = 0
    """Tracks left for the next healing."""
    blocked_until: AwareDatetime | None = None
    """When a source may be called again, if none may be called now."""


class Healer:
    """Asks again for the features of tracks.

    Args:
        lookup: Looks features up in the cache and at the sources.
        due: Reads the tracks that are due.
        queue: The queue to the loader.
        now: Returns the current time.
        most: Most tracks that one healing asks for. There is no pause between two calls, so
            this limits the burst that a source sees in an hour, and the length of a healing.
    """

    def __init__(
        self,
        *,
        lookup: Lookup,
        due: DueTracks,
        queue: Queue,
        now: Callable[[], datetime],
        most: int,
    ) -> None:
        self._lookup = lookup
        self._due = due
        self._queue = queue
        self._now = now
        self._most = most

    def heal(self, request: HealRequest, until: datetime) -> Healing:
        """Ask for tracks until the time is over, or no source may be called any more.

        Args:
            request: Which tracks to ask for, and at most how many.
            until: When to stop asking.

        Raises:
            TrackCacheError: The cache cannot be read or written. The features found by then are
                published.
        """
        started_at = self._now()
        most = min(self._most, request.most or self._most)
        if request.tracks is None:
            tracks, total = self._due.read(started_at, most)
        else:
            distinct = list(dict.fromkeys(request.tracks))
            tracks, total = distinct[:most], len(distinct)
        done, count = self._ask(tracks, started_at, until, anew=request.tracks is not None)
        remaining = total - done
        is_blocked = (remaining or count["postponed"]) and not self._lookup.may_ask(started_at)
        return Healing(
            **count,
            remaining=remaining,
            blocked_until=self._lookup.blocked_until if is_blocked else None,
        )

    def _ask(
        self, tracks: Sequence[str], started_at: datetime, until: datetime, *, anew: bool
    ) -> tuple[int, Counter[str]]:
        """Ask for tracks chunk by chunk; return the number handled, and `Findings.counts` summed.

        It stops at `until`, or when no source may be called any more.
        """
        done, count = 0, Counter[str]()
        for number, chunk in enumerate(chunks(tracks, TRACKS_PER_CALL)):
            # The tracks of the remaining chunks stay due: their entries do not change.
            if self._now() >= until or not self._lookup.may_ask(started_at):
                break
            findings = self._lookup.find(chunk, until, anew=anew)
            if features := tuple(findings.features.values()):
                # 40 tracks take 40 kB at most.
                origin = f"healing/{iso(started_at)}"
                self._queue.publish(EnrichedBatch(origin=origin, number=number, features=features))
            self._lookup.save(findings)
            done += len(chunk)
            count.update(findings.counts)
        return done, count
