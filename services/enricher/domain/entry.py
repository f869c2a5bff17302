"""What the enricher remembers of one track, and when it asks for it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from services.enricher.domain.features import merged
from shared.models import TrackFeatures

MISS_WAITS = tuple(timedelta(days=days) for days in (1, 7, 30, 90))
"""How long to wait after the first, second … miss in a row; the last repeats."""


@dataclass(frozen=True, slots=True)
class KnownFeatures:
    """The features of a track as the text that travels; a play needs just the popularity of them.

    Most tracks are passed on many times and looked into never: text takes a fifth of an object's
    memory, and no time to read and write (`make bench`).
    """

    text: str
    """The JSON of a TrackFeatures, without what is unknown."""
    popularity: int | None

    @classmethod
    def of(cls, features: TrackFeatures) -> Self:
        """Write features down."""
        return cls(features.model_dump_json(exclude_none=True), features.popularity)

    def followed_by(self, told: TrackFeatures) -> "KnownFeatures":
        """Take in a later answer; what it leaves open stays as it was known before."""
        return KnownFeatures.of(merged(told, self.read()))

    def read(self) -> TrackFeatures:
        """Read what the text says."""
        return TrackFeatures.model_validate_json(self.text)


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a track.

    Misses and failures run on two clocks: a miss tells that the track is new to the source, a
    failure tells nothing about the track and so is never counted as a miss.
    """

    features: KnownFeatures | None = None
    """What the sources told; only a part of it where a later answer is awaited."""
    misses: int = 0
    """Misses in a row, counted up to the longest wait."""
    retry_at: datetime | None = None
    """When to ask again; None when all is known."""

    def is_due(self, now: datetime) -> bool:
        """Tell whether the sources may be asked for the track."""
        return self.retry_at is not None and self.retry_at <= now

    def knows_less_than(self, other: "Entry") -> bool:
        """Tell whether features or a miss of another would be lost if this took its place."""
        if self.retry_at is None:
            return False
        if other.features is None:
            return self.features is None and self.misses < other.misses
        return self.features is None or other.retry_at is None

    def learnt(self, told: TrackFeatures | None) -> "Entry":
        """Follow an answer that tells how the track sounds."""
        return Entry(self._with(told))

    def missed(self, told: TrackFeatures | None, now: datetime) -> "Entry":
        """Follow an answer of all sources that did not tell how the track sounds."""
        if self._is_early(now):
            return Entry(self._with(told), self.misses, self.retry_at)
        misses = min(self.misses + 1, len(MISS_WAITS))
        return Entry(self._with(told), misses, now + MISS_WAITS[misses - 1])

    def failed(self, told: TrackFeatures | None, now: datetime, retry_at: datetime) -> "Entry":
        """Follow the failure of a source, or the want of time to ask it."""
        early = self._is_early(now)
        return Entry(self._with(told), self.misses, self.retry_at if early else retry_at)

    def _is_early(self, now: datetime) -> bool:
        """Tell whether someone asks before it is time: then no news changes no clock."""
        return self.features is not None if self.retry_at is None else self.retry_at > now

    def _with(self, told: TrackFeatures | None) -> KnownFeatures | None:
        if told is None:
            return self.features
        return self.features.followed_by(told) if self.features else KnownFeatures.of(told)
