"""What the sources said in one look-up, and what came of it; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.enricher.domain.entry import Entry, KnownFeatures
from services.enricher.domain.features import merged
from services.enricher.sources.source import Answer, SourceOffError
from shared.models import TrackFeatures

OFF_WAIT = timedelta(hours=1)
"""How long a source that is off stays so for a container, and how long a track waits that no
source could be asked for: a login may switch one on."""


@dataclass(frozen=True)
class Findings:
    """What a look-up found, and what of it is worth remembering."""

    features: Mapping[str, KnownFeatures]
    """By track uri, all that is known."""
    entries: Mapping[str, Entry]
    """By track uri, what the cache does not hold yet."""
    withheld: frozenset[str] = frozenset()
    """Tracks that wait for an answer, and are not in `entries`: whether the cache knows better
    could not be read."""
    left: tuple[str, ...] = ()
    """Tracks that did not fill a call, and wait for one that they help to fill."""
    asked: int = 0
    """Tracks that a source was asked for."""
    learned: int = 0
    """Tracks that a source told of."""
    missed: int = 0
    """Tracks that no source knows, though every one answered."""
    postponed: int = 0
    """Tracks that are to be asked for again, since a source failed or time was short."""

    def without(self, tracks: Iterable[str]) -> "Findings":
        """Give the same, but that of some tracks nothing is worth remembering."""
        gone = set(tracks)
        kept = {track: entry for track, entry in self.entries.items() if track not in gone}
        return replace(self, entries=kept)

    def lost(self, refused: Iterable[str]) -> set[str]:
        """Tell which tracks wait for an answer without standing where healing looks for them.

        Args:
            refused: Those of `entries` that the table did not take.
        """
        return {t for t in refused if self.entries[t].retry_at is not None} | self.withheld


@dataclass
class Told:
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

    def is_silent_on(self, track: str) -> bool:
        """Tell whether there was no source to ask for a track."""
        return not any(track in said for said in (self.features, self.missing, self.retry_at))

    def entry(self, track: str, before: Entry, now: datetime) -> Entry:
        """Write down what is known of a track by now."""
        if self.is_silent_on(track):
            return before.failed(None, now, now + OFF_WAIT)
        told = self.features.get(track)
        if track in self.retry_at:
            return before.failed(told, now, self.retry_at[track])
        if track in self.missing:
            return before.missed(told, now)
        return before.learnt(told)
