"""The order in which features are looked up, and the time that it may take."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.enricher.cache import TrackCache
from services.enricher.entry import Entry, KnownFeatures
from services.enricher.features import merged
from services.enricher.sources import (
    TRACKS_PER_CALL,
    Answer,
    FeatureSource,
    RequestRefusedError,
    SourceOffError,
)
from shared.errors import FeatureSourceError
from shared.models import TrackFeatures
from shared.telemetry import logger

FAILURE_WAIT_S = 900
"""How long a source is left alone after a failure, unless it tells by itself."""

OFF_WAIT = timedelta(hours=1)
"""How long a source that is off stays so for this container: a login may switch it on."""


@dataclass(frozen=True)
class Findings:
    """What a look-up found, and what of it is worth remembering."""

    features: Mapping[str, KnownFeatures]
    """By track uri, all that is known."""
    entries: Mapping[str, Entry]
    """By track uri, what the cache does not hold yet."""
    asked: int = 0
    """Tracks that a source was asked for."""
    learned: int = 0
    """Tracks that a source told of."""
    missed: int = 0
    """Tracks that no source knows, though every one answered."""
    postponed: int = 0
    """Tracks that are to be asked for again, since a source failed or time was short."""


@dataclass
class _Told:
    """What the sources said so far, by track uri."""

    asked: set[str] = field(default_factory=set)
    features: dict[str, TrackFeatures] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    retry_at: dict[str, datetime] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)

    def take(self, tracks: Sequence[str], answer: Answer, retry_at: datetime | None) -> None:
        """Take in an answer about tracks; `retry_at` tells that it is incomplete."""
        for track, features in answer.features.items():
            before = self.features.get(track)
            self.features[track] = merged(before, features) if before else features
        if isinstance(answer.failure, SourceOffError):
            return
        for track in tracks:
            if retry_at is not None:
                self.retry_at[track] = retry_at
            elif track in answer.missing:
                self.missing.add(track)
            else:
                self.settled.add(track)
                self.missing.discard(track)
                self.retry_at.pop(track, None)

    def entry(self, track: str, before: Entry, now: datetime) -> Entry:
        """Write down what is known of a track by now."""
        told = self.features.get(track)
        if track in self.retry_at:
            return before.failed(told, now, self.retry_at[track])
        if track in self.missing:
            return before.missed(told, now)
        return before.learnt(told)


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

    def find(self, tracks: Iterable[str], until: datetime, *, anew: bool = False) -> Findings:
        """Find what is known of tracks; never raises for want of it.

        Args:
            tracks: Distinct track uris.
            until: No source is asked any more after this instant. What is under way then may
                take two calls' timeouts longer.
            anew: Ask for what is known or not due as well.
        """
        wanted, started_at = list(tracks), self._now()
        recalled = self._cache.read(wanted, started_at)
        known = recalled.entries
        due = [t for t in wanted if anew or t not in known or known[t].is_due(started_at)]
        told = self._ask(due, started_at, until)
        # What the cache could not tell must not be overwritten by a mere "unknown".
        open_ = told.missing | told.retry_at.keys()
        sure = (told.features.keys() | open_) - (recalled.unread & open_)
        found = {t: told.entry(t, known.get(t, Entry()), started_at) for t in due}
        features = {t: e.features for t, e in {**known, **found}.items() if e.features}
        return Findings(
            features=features,
            entries={t: entry for t, entry in found.items() if t in sure},
            asked=len(told.asked),
            learned=len(told.features),
            missed=len(told.missing - told.retry_at.keys()),
            postponed=len(told.retry_at),
        )

    def remember(self, findings: Findings) -> bool:
        """Keep what was found for the next invocations; tells whether they will find it."""
        return self._cache.write(findings.entries)

    def _ask(self, tracks: Sequence[str], started_at: datetime, until: datetime) -> _Told:
        told = _Told()
        remaining = tracks
        for name in self._sources:
            for chunk in chunks(remaining):
                self._ask_source(name, chunk, told, started_at, until)
            remaining = [track for track in remaining if track not in told.settled]
        return told

    def _ask_source(
        self, name: str, tracks: Sequence[str], told: _Told, started_at: datetime, until: datetime
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
            told.take(tracks, answer, self._retry_at(name, answer.failure))

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


def chunks(tracks: Sequence[str]) -> Iterator[Sequence[str]]:
    """Part tracks into what one call of a source may ask for."""
    for start in range(0, len(tracks), TRACKS_PER_CALL):
        yield tracks[start : start + TRACKS_PER_CALL]
