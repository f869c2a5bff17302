"""The order in which features are looked up, and the time that it may take."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.enricher.cache.table import TrackCache
from services.enricher.domain.entry import Entry
from services.enricher.domain.findings import OFF_WAIT, Findings, Told
from services.enricher.sources.source import (
    TRACKS_PER_CALL,
    Answer,
    FeatureSource,
    RequestRefusedError,
    SourceOffError,
)
from shared.errors import FeatureSourceError
from shared.telemetry import logger

FAILURE_WAIT_S = 900
"""How long a source is left alone after a failure, unless it tells by itself."""


class Lookup:
    """The cache first, then the sources in their order."""

    def __init__(
        self,
        cache: TrackCache,
        sources: Mapping[str, FeatureSource],
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._sources = dict(sources)
        self._now = now
        self._blocked_until: dict[str, datetime] = {}
        self._off_until: dict[str, datetime] = {}

    @property
    def blocked_until(self) -> datetime | None:
        """When the first of the sources that failed may be asked again; None if none failed."""
        return min(self._blocked_until.values(), default=None)

    def may_ask(self, since: datetime) -> bool:
        """Tell whether a source is left that was not to be left alone at an instant, nor since."""
        return any(
            not self._is_off(name, since) and not self._is_blocked(name, since)
            for name in self._sources
        )

    def find(
        self,
        tracks: Iterable[str],
        until: datetime,
        *,
        anew: bool = False,
        full_calls: bool = False,
    ) -> Findings:
        """Find what is known of tracks; never raises for want of it.

        Args:
            tracks: Distinct track uris.
            until: No source is asked any more after this instant. What is under way then goes on
                to the end of its calls: of ReccoBeats two, each `LONGEST_CALL_S` at most.
            anew: Ask for what is known or not due as well.
            full_calls: Ask the first source only in calls that are full. What is left over is due
                at once, for a later look-up that has more to ask for.
        """
        wanted, started_at = list(tracks), self._now()
        recalled = self._cache.read(wanted, started_at)
        known = recalled.entries
        due = [t for t in wanted if anew or t not in known or known[t].is_due(started_at)]
        # What cannot be written down cannot wait.
        rest = len(due) % TRACKS_PER_CALL if full_calls and not recalled.unread else 0
        asked, left = due[: len(due) - rest], due[len(due) - rest :]
        told = Told()
        self._ask(asked, told, started_at, until)
        if not self.may_ask(started_at):
            # Nothing is left for a next time: it waits for whom the others wait for.
            self._ask(left, told, started_at, until)
            asked, left = due, []
        # By the second, as the table keeps it: rounded up it would not be due at once.
        at_once = Entry(retry_at=started_at.replace(microsecond=0))
        found = {track: at_once for track in left if track not in known}
        found |= {
            track: told.entry(track, known.get(track, Entry()), started_at)
            for track in asked
            # Of what is known to wait, "there was nobody to ask" is no news.
            if track not in known or not told.is_silent_on(track)
        }
        # What the cache could not tell must not be overwritten by a mere "unknown".
        unsure = {t for t in recalled.unread & found.keys() if found[t].retry_at is not None}
        return Findings(
            features={t: e.features for t, e in {**known, **found}.items() if e.features},
            entries={t: entry for t, entry in found.items() if t not in unsure},
            # Of those, the memory has only tracks that stand in the table.
            withheld=frozenset(unsure - known.keys()),
            left=tuple(left),
            asked=len(told.asked),
            learned=len(told.features),
            missed=len(told.missing - told.retry_at.keys()),
            postponed=len(told.retry_at),
        )

    def remember(self, findings: Findings) -> set[str]:
        """Keep what was found for the next invocations; returns what the table did not take."""
        return self._cache.write(findings.entries)

    def _ask(
        self, tracks: Sequence[str], told: Told, started_at: datetime, until: datetime
    ) -> None:
        """Ask one source after the other, each for what those before it did not settle."""
        remaining = tracks
        for name in self._sources:
            for chunk in chunks(remaining):
                self._ask_source(name, chunk, told, started_at, until)
            remaining = [track for track in remaining if track not in told.settled]

    def _ask_source(
        self, name: str, tracks: Sequence[str], told: Told, started_at: datetime, until: datetime
    ) -> None:
        """Ask one source, if it may be asked; what may not be asked waits for its time."""
        if self._is_off(name, started_at):
            return
        if self._is_blocked(name, started_at):
            told.take(tracks, Answer(), self._blocked_until[name])
        elif (now := self._now()) >= until:
            told.take(tracks, Answer(), now)
        else:
            told.asked.update(tracks)
            answer = self._sources[name].fetch(tracks)
            for part, known in self._parted(name, tracks, answer, until):
                told.take(part, known, self._retry_at(name, known.failure))

    def _parted(
        self, name: str, tracks: Sequence[str], answer: Answer, until: datetime
    ) -> Iterator[tuple[Sequence[str], Answer]]:
        """Where a source refuses a request, find the one track for which it does: it is missing.

        The others would never be told, since they are asked for together again and again. Whoever
        answers neither half has more against it than a track, and is not asked for parts of them.
        """
        if not _is_refused(answer) or len(tracks) == 1 or self._now() >= until:
            yield tracks, answer
            return
        halves = tracks[: len(tracks) // 2], tracks[len(tracks) // 2 :]
        answers = [self._sources[name].fetch(half) for half in halves]
        is_answered = any(told.failure is None for told in answers)
        for half, told in zip(halves, answers, strict=True):
            if not is_answered:
                yield half, told
            elif _is_refused(told) and len(half) == 1:
                yield half, Answer(missing=frozenset(half))
            else:
                yield from self._parted(name, half, told, until)

    def _is_off(self, name: str, since: datetime) -> bool:
        off_until = self._off_until.get(name)
        return off_until is not None and off_until >= since

    def _is_blocked(self, name: str, since: datetime) -> bool:
        blocked_until = self._blocked_until.get(name)
        return blocked_until is not None and blocked_until >= since

    def _retry_at(self, name: str, failure: FeatureSourceError | None) -> datetime | None:
        """Draw the consequences of a failure; an instant tells when to ask again."""
        if failure is None:
            return None
        if isinstance(failure, SourceOffError):
            self._blocked_until.pop(name, None)
            self._off_until[name] = self._now() + OFF_WAIT
            logger.warning("feature source is off", extra={"source": name, "reason": str(failure)})
            return None
        wait_s = FAILURE_WAIT_S if failure.retry_after_s is None else failure.retry_after_s
        retry_at = self._now() + timedelta(seconds=wait_s)
        if not isinstance(failure, RequestRefusedError):
            self._blocked_until[name] = retry_at
        logger.warning(
            "feature source failed",
            extra={"source": name, "error": str(failure), "retry_after_s": wait_s},
        )
        return retry_at


def _is_refused(answer: Answer) -> bool:
    return isinstance(answer.failure, RequestRefusedError)


def chunks(tracks: Sequence[str]) -> Iterator[Sequence[str]]:
    """Part tracks into what one call of a source may ask for."""
    for start in range(0, len(tracks), TRACKS_PER_CALL):
        yield tracks[start : start + TRACKS_PER_CALL]
