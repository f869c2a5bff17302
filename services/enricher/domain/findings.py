"""The result of looking up the features of tracks in the cache and at the sources; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.enricher.domain.entry import Entry
from services.enricher.domain.features import merged
from services.enricher.sources.source import Answer
from shared.models import TrackFeatures

OFF_WAIT = timedelta(hours=1)
"""How long a container does not call a source that is off, and the retry delay of a track for
which no source could be called. A new login may switch a source on."""


@dataclass
class Findings:
    """The result of looking tracks up in the cache and at the sources, by track uri."""

    cached: Mapping[str, Entry] = field(default_factory=dict)
    """The entries of the cache, read before the sources were asked."""
    asked: set[str] = field(default_factory=set)
    """Tracks for which a source was called."""
    learned: dict[str, TrackFeatures] = field(default_factory=dict)
    """Features that the sources answered; some values may be unknown."""
    missing: set[str] = field(default_factory=set)
    """Tracks whose audio features none of the answering sources knows.

    A track with an unusual id is among them, because no source can know it.
    """
    retry_at: dict[str, datetime] = field(default_factory=dict)
    """When to ask again for tracks whose source failed or could not be called in time."""
    entries: dict[str, Entry] = field(default_factory=dict)
    """New entries for the cache, set by `settle`."""

    @property
    def features(self) -> dict[str, TrackFeatures]:
        """The known features by track uri, those of the cache and those just found."""
        known = {**self.cached, **self.entries}
        return {track: entry.features for track, entry in known.items() if entry.features}

    @property
    def pending(self) -> set[str]:
        """The tracks whose new entry is pending; healing finds them once the entry is saved."""
        return {track for track, entry in self.entries.items() if entry.retry_at is not None}

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of tracks asked for, learned, missed by all sources, and postponed."""
        return {
            "asked": len(self.asked),
            "learned": len(self.learned),
            "missed": len(self.missing - self.retry_at.keys()),
            "postponed": len(self.retry_at),
        }

    def add(self, tracks: Sequence[str], answer: Answer, retry_at: datetime | None) -> None:
        """Add the answer of a source about some tracks.

        `retry_at` is when to ask for them again if the source failed or could not be called, else
        None.
        """
        for track, features in answer.features.items():
            before = self.learned.get(track)
            self.learned[track] = merged(before, features) if before else features
        if retry_at is not None:
            self.retry_at.update(dict.fromkeys(tracks, retry_at))
        elif answer.failure is None:
            self.missing |= answer.missing
            for track in answer.features.keys() - answer.missing:
                self.missing.discard(track)
                self.retry_at.pop(track, None)

    def is_open(self, track: str) -> bool:
        """True if the next source should be asked for the track: its audio features are unknown."""
        return track in self.missing or track in self.retry_at or track not in self.learned

    def settle(self, tracks: Iterable[str], now: datetime) -> None:
        """Set `entries` to the new cache entries of `tracks`, for which the sources were asked."""
        for track in tracks:
            before = self.cached.get(track)
            # A pending track for which no source could be called stays due.
            if before is None or self._is_answered(track):
                self.entries[track] = self._entry(track, before or Entry(), now)

    def _is_answered(self, track: str) -> bool:
        return track in self.learned or track in self.missing or track in self.retry_at

    def _entry(self, track: str, before: Entry, now: datetime) -> Entry:
        features = self.learned.get(track)
        if not self._is_answered(track):
            return before.failed(None, now, now + OFF_WAIT)
        if track in self.retry_at:
            return before.failed(features, now, self.retry_at[track])
        if track in self.missing:
            return before.missed(features, now)
        return before.learned(features)
