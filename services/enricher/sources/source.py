"""Sources of audio features: their interface, their errors, and the choice among them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from services.enricher.domain.features import has_audio_features
from shared.errors import FeatureSourceError, SettingsError
from shared.models import TrackFeatures, has_usual_id

TRACKS_PER_CALL = 40
"""ReccoBeats silently drops any further ids."""


class RequestRejectedError(FeatureSourceError):
    """A source rejected one request because of its content; other requests may succeed."""


class CallForbiddenError(FeatureSourceError):
    """A source forbids this kind of call; other calls may succeed."""


class SourceOffError(FeatureSourceError):
    """A source does not serve this deployment; it is treated as not configured."""


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
        """Build the answer about tracks from the known features, in any order.

        Without a failure, tracks without audio features are missing.
        """
        features = {one.track_uri: one for one in known if one is not None}
        if failure:
            return cls(features, failure=failure)
        known_audio = {track for track, one in features.items() if has_audio_features(one)}
        return cls(features, frozenset(track_uris) - known_audio)


class FeatureSource(Protocol):
    """A source of audio features."""

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for at most 40 tracks; a failure is part of the answer, never raised."""
        ...


@dataclass(frozen=True)
class UsualIdsOnly:
    """Asks for usual track ids only: the source knows no others, and one other id fails a call."""

    source: FeatureSource

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for the tracks with a usual id; report the others as missing."""
        usual = [track for track in track_uris if has_usual_id(track)]
        answer = self.source.fetch(usual) if usual else Answer()
        unusual = frozenset(track_uris).difference(usual)
        return replace(answer, missing=answer.missing | unusual)


def choose(
    names: Iterable[str], makers: Mapping[str, Callable[[], FeatureSource]]
) -> dict[str, FeatureSource]:
    """Return the named sources, in the order in which they are asked.

    Raises:
        SettingsError: No source has this name.
    """
    chosen = list(names)
    for name in chosen:
        if name not in makers:
            known = ", ".join(makers)
            raise SettingsError(f"FEATURE_SOURCES: no source is named {name!r}, only {known}")
    return {name: makers[name]() for name in chosen}
