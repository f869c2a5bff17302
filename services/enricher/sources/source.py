"""Sources of audio features: their interface and their errors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from services.enricher.domain.features import has_audio_features
from shared.errors import FeatureSourceError
from shared.models import TrackFeatures

TRACKS_PER_CALL = 40
"""ReccoBeats silently drops any further ids."""


class RequestRejectedError(FeatureSourceError):
    """A source rejected one request because of its content; other requests may succeed."""


class CallForbiddenError(FeatureSourceError):
    """A source forbids this kind of call; other calls may succeed."""


class SourceOffError(FeatureSourceError):
    """A source refuses this deployment's app or has no login; treat it as not configured."""


@dataclass(frozen=True)
class Answer:
    """The answer of a source about the tracks that it was asked for."""

    features: Mapping[str, TrackFeatures] = field(default_factory=dict)
    """By track uri; may be incomplete for a missing track or after a failure."""
    missing: frozenset[str] = frozenset()
    """Tracks whose audio features the source does not know."""
    failure: FeatureSourceError | None = None
    """Why the answer is incomplete; then the tracks are asked for again."""

    @classmethod
    def about(
        cls,
        track_uris: Iterable[str],
        known: Iterable[TrackFeatures | None],
        failure: FeatureSourceError | None,
    ) -> Self:
        """Build the answer about `track_uris` from the features in `known`, in any order.

        Without a failure, tracks without audio features are listed as missing.
        """
        features = {one.track_uri: one for one in known if one is not None}
        if failure:
            return cls(features, failure=failure)
        known_audio = {track for track, one in features.items() if has_audio_features(one)}
        return cls(features, frozenset(track_uris) - known_audio)


class FeatureSource(Protocol):
    """A source of audio features."""

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks; a failure is returned in `Answer.failure`, never raised."""
        ...
