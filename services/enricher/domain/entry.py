"""The entry of a track in the track cache: its features, and when to ask again; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.enricher.domain.features import merged
from shared.models import TrackFeatures

MISS_WAITS = tuple(timedelta(days=days) for days in (1, 7, 30, 90))
"""The retry delays after the first, second … miss in a row; the last one repeats."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The entry of a track in the track cache.

    A miss means that no source knows how the track sounds yet. A failure of a source says nothing
    about the track, so it has its own retry delay and never counts as a miss.
    """

    features: TrackFeatures | None = None
    """The features that the sources answered; incomplete while the track is pending."""
    misses: int = 0
    """Misses in a row, at most the number of `MISS_WAITS`."""
    retry_at: datetime | None = None
    """When to ask again for a pending track; None for any other."""

    def is_due(self, now: datetime) -> bool:
        """True if the track is pending and its retry delay has passed."""
        return self.retry_at is not None and self.retry_at <= now

    def learned(self, features: TrackFeatures | None) -> "Entry":
        """Return the updated entry after a source has answered with audio features."""
        return Entry(self._with(features))

    def missed(self, features: TrackFeatures | None, now: datetime) -> "Entry":
        """Return the updated entry after every source has answered without audio features."""
        if self._is_early(now):
            return Entry(self._with(features), self.misses, self.retry_at)
        misses = min(self.misses + 1, len(MISS_WAITS))
        return Entry(self._with(features), misses, now + MISS_WAITS[misses - 1])

    def failed(self, features: TrackFeatures | None, now: datetime, retry_at: datetime) -> "Entry":
        """Return the updated entry after a source has failed or could not be called."""
        early = self._is_early(now)
        return Entry(self._with(features), self.misses, self.retry_at if early else retry_at)

    def _is_early(self, now: datetime) -> bool:
        """True if the track is known or not yet due; a miss or failure then keeps `retry_at`."""
        return self.features is not None if self.retry_at is None else self.retry_at > now

    def _with(self, features: TrackFeatures | None) -> TrackFeatures | None:
        if features is None or self.features is None:
            return features or self.features
        return merged(features, self.features)
