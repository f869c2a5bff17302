"""The order in which features are looked up, and the time that it may take."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.enricher.cache import TrackCache
from services.enricher.entry import Entry, KnownFeatures
from services.enricher.sources import TRACKS_PER_CALL, Answer, FeatureSource, RequestRefusedError
from shared.errors import FeatureSourceError
from shared.models import TrackFeatures
from shared.telemetry import logger

FAILURE_WAIT_S = 900
"""How long a source is left alone after a failure, unless it tells by itself."""


@dataclass(frozen=True)
class Findings:
    """What a look-up found, and what of it is worth remembering."""

    features: Mapping[str, KnownFeatures]
    """By track uri, all that is known."""
    entries: Mapping[str, Entry]
    """By track uri, what the cache does not hold yet."""
    learned: int = 0
    """Tracks that a source told of."""
    missed: int = 0
    """Tracks that no source knows, though every one answered."""
    postponed: int = 0
    """Tracks that are to be asked for again, since a source failed or time was short."""


@dataclass
class _Told:
    """What the sources said so far, by track uri."""

    features: dict[str, TrackFeatures] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    retry_at: dict[str, datetime] = field(default_factory=dict)

    def take(self, tracks: Sequence[str], answer: Answer, retry_at: datetime | None) -> None:
        """Take in an answer about tracks; `retry_at` tells that it is incomplete."""
        self.features |= answer.features
        for track in tracks:
            if retry_at is not None:
                self.retry_at[track] = retry_at
            elif track in answer.missing:
                self.missing.add(track)
            else:
                self.missing.discard(track)
                self.retry_at.pop(track, None)

    def is_open(self, track: str) -> bool:
        """Tell whether the next source should be asked for a track."""
        return track in self.missing or track in self.retry_at

    def entry(self, track: str, before: Entry, now: datetime) -> Entry:
        """Write down what is known of a track by now."""
        told = self.features.get(track)
        features = KnownFeatures.of(told) if told else None
        if track in self.retry_at:
            return before.failed(features, self.retry_at[track])
        if track in self.missing:
            return before.missed(features, now)
        return Entry(features)


class Lookup:
    """The cache first, then the sources in their order."""

    def __init__(
        self,
        cache: TrackCache,
        sources: Mapping[str, FeatureSource],
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._sources = sources
        self._now = now
        self._blocked_until: dict[str, datetime] = {}

    def find(self, tracks: Iterable[str], until: datetime) -> Findings:
        """Find what is known of tracks; never raises for want of it.

        Args:
            tracks: Distinct track uris.
            until: No source is asked any more after this instant. What is under way then may
                take two calls' timeouts longer.
        """
        wanted, started_at = list(tracks), self._now()
        recalled = self._cache.read(wanted, started_at)
        known = recalled.entries
        due = [t for t in wanted if t not in known or known[t].is_due(started_at)]
        told = self._ask(due, started_at, until)
        # What the cache could not tell must not be overwritten by a mere "unknown".
        open_ = told.missing | told.retry_at.keys()
        sure = (told.features.keys() | open_) - (recalled.unread & open_)
        found = {t: told.entry(t, known.get(t, Entry()), started_at) for t in due}
        features = {t: e.features for t, e in {**known, **found}.items() if e.features}
        return Findings(
            features=features,
            entries={t: entry for t, entry in found.items() if t in sure},
            learned=len(told.features),
            missed=len(told.missing - told.retry_at.keys()),
            postponed=len(told.retry_at),
        )

    def remember(self, findings: Findings) -> None:
        """Keep what was found for the next invocations."""
        self._cache.write(findings.entries)

    def _ask(self, tracks: Sequence[str], started_at: datetime, until: datetime) -> _Told:
        told = _Told()
        remaining = tracks
        for name in self._sources:
            for chunk in _chunks(remaining):
                told.take(chunk, *self._ask_source(name, chunk, started_at, until))
            remaining = [track for track in remaining if told.is_open(track)]
        return told

    def _ask_source(
        self, name: str, tracks: Sequence[str], started_at: datetime, until: datetime
    ) -> tuple[Answer, datetime | None]:
        """Ask one source, if it may be asked; an instant tells when to ask again."""
        blocked_until = self._blocked_until.get(name)
        if blocked_until is not None and blocked_until >= started_at:
            return Answer(), blocked_until
        if (now := self._now()) >= until:
            return Answer(), now
        answer = self._sources[name].fetch(tracks)
        return answer, self._retry_at(name, answer.failure) if answer.failure else None

    def _retry_at(self, name: str, failure: FeatureSourceError) -> datetime:
        wait_s = FAILURE_WAIT_S if failure.retry_after_s is None else failure.retry_after_s
        retry_at = self._now() + timedelta(seconds=wait_s)
        if not isinstance(failure, RequestRefusedError):
            self._blocked_until[name] = retry_at
        logger.warning(
            "feature source failed",
            extra={"source": name, "error": str(failure), "retry_after_s": wait_s},
        )
        return retry_at


def _chunks(tracks: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(tracks), TRACKS_PER_CALL):
        yield tracks[start : start + TRACKS_PER_CALL]
