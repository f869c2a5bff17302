"""What the enricher remembers of one track, and when it asks for it again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

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


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a track.

    Misses and failures run on two clocks: a miss tells that the track is new to the source, a
    failure tells nothing about the track and so is never counted as a miss.
    """

    features: KnownFeatures | None = None
    """What a source told; only a part of it where a later answer is awaited."""
    misses: int = 0
    """Misses in a row, counted up to the longest wait."""
    retry_at: datetime | None = None
    """When to ask again; None when all is known."""

    def is_due(self, now: datetime) -> bool:
        """Tell whether the sources may be asked for the track."""
        return self.retry_at is not None and self.retry_at <= now

    def missed(self, features: KnownFeatures | None, now: datetime) -> "Entry":
        """Follow an answer of all sources that did not tell how the track sounds."""
        misses = min(self.misses + 1, len(MISS_WAITS))
        return Entry(features or self.features, misses, now + MISS_WAITS[misses - 1])

    def failed(self, features: KnownFeatures | None, retry_at: datetime) -> "Entry":
        """Follow the failure of a source, or the want of time to ask it."""
        return Entry(features or self.features, self.misses, retry_at)
