"""Healing: tracks that wait for features are asked for again, and what is told goes to the loader.

Chunk by chunk it publishes, then remembers: what breaks in between is done again, never lost. Two
healings at once ask for some tracks twice, and write down the same.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.enricher.cache.pending import DueTracks
from services.enricher.domain.join import healing_batch
from services.enricher.lookup import Lookup, chunks
from shared.errors import HistoryError
from shared.models import TrackUri, iso
from shared.queues import Queue


class NotRememberedError(HistoryError):
    """The track cache takes nothing, so that all would be asked for again and again."""


class HealRequest(BaseModel):
    """What to heal."""

    model_config = ConfigDict(frozen=True)

    tracks: tuple[TrackUri, ...] | None = None
    """Just these, due or not, known or not; None for all that is due."""
    most: Annotated[int, Field(ge=1)] | None = None
    """No more tracks than that, if it is fewer than a healing may ask for anyway."""


class Healing(BaseModel):
    """What came of it, in tracks."""

    model_config = ConfigDict(frozen=True)

    asked: int = 0
    learned: int = 0
    missed: int = 0
    postponed: int = 0
    remaining: int = 0
    """Due, or asked for by name, and not come to yet: for the next healing."""
    blocked_until: AwareDatetime | None = None
    """When a source may be asked again, if none may be now."""


class Healer:
    """Asks again for the features of tracks.

    Args:
        lookup: Knows the cache and the sources.
        due: Tells what is due.
        queue: Leads to the loader.
        now: Tells the time.
        most: How many tracks one healing may ask for. There is no pause between two calls, so
            this bounds the burst that a source sees in an hour, and how long a healing takes.
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
        """Ask for tracks until the time is over, or no source may be asked any more.

        Args:
            request: Which tracks.
            until: When to stop asking.

        Raises:
            NotRememberedError: What was learnt is published, but would be asked for again.
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
        is_barred = (remaining or count["postponed"]) and not self._lookup.may_ask(started_at)
        return Healing(
            **count,
            remaining=remaining,
            blocked_until=self._lookup.blocked_until if is_barred else None,
        )

    def _ask(
        self, tracks: Sequence[str], started_at: datetime, until: datetime, *, anew: bool
    ) -> tuple[int, Counter[str]]:
        """Ask for tracks, and count those that were come to, by what came of them."""
        done, count = 0, Counter[str]()
        for number, chunk in enumerate(chunks(tracks)):
            # Tracks that are not come to stay due, and none of them is written.
            if self._now() >= until or not self._lookup.may_ask(started_at):
                break
            findings = self._lookup.find(chunk, until, anew=anew)
            if findings.features:
                origin = f"healing/{iso(started_at)}"
                self._queue.publish_json(healing_batch(origin, number, findings.features.values()))
            if self._lookup.remember(findings):
                raise NotRememberedError("the track cache takes nothing: healing stops")
            done += len(chunk)
            count.update(
                asked=findings.asked,
                learned=findings.learned,
                missed=findings.missed,
                postponed=findings.postponed,
            )
        return done, count
