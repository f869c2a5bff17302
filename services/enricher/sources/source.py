"""Sources of audio features: what the enricher asks of each, and the choice among them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

from services.enricher.domain.features import sounds
from shared.errors import FeatureSourceError, SettingsError
from shared.models import TrackFeatures, has_usual_id

TRACKS_PER_CALL = 40
"""ReccoBeats drops what goes beyond, without a word."""


class RequestRefusedError(FeatureSourceError):
    """A source refuses one request for what it says, such as one of its tracks; others may pass."""


class CallForbiddenError(FeatureSourceError):
    """A source forbids this kind of call; others may pass."""


class SourceOffError(FeatureSourceError):
    """A source does not serve this deployment, as if it were not configured."""


@dataclass(frozen=True)
class Answer:
    """What a source told about the tracks that it was asked for."""

    features: Mapping[str, TrackFeatures] = field(default_factory=dict)
    """By track uri; a track that is missing, or caught in a failure, may be told in part."""
    missing: frozenset[str] = frozenset()
    """Tracks that the source answered without telling how they sound."""
    failure: FeatureSourceError | None = None
    """Why the answer is incomplete; then nothing in it is settled."""

    @classmethod
    def about(
        cls,
        track_uris: Iterable[str],
        known: Iterable[TrackFeatures | None],
        failure: FeatureSourceError | None,
    ) -> Self:
        """Answer with the features that are known of some tracks, as far as they are."""
        features = {one.track_uri: one for one in known if one is not None}
        silent = (t for t in track_uris if t not in features or not sounds(features[t]))
        return cls(features, frozenset() if failure else frozenset(silent), failure)


class FeatureSource(Protocol):
    """A source of audio features, asked for at most 40 tracks at a time."""

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for tracks; a failure is a part of the answer and never raised."""
        ...


@dataclass(frozen=True)
class UsualIdsOnly:
    """A source that is asked for usual track ids alone: it knows no other, and one fails a call."""

    source: FeatureSource

    def fetch(self, track_uris: Sequence[str], /) -> Answer:
        """Ask for the tracks with a usual id; the others are missing."""
        usual = [track for track in track_uris if has_usual_id(track)]
        answer = self.source.fetch(usual) if usual else Answer()
        unusual = frozenset(track_uris).difference(usual)
        return replace(answer, missing=answer.missing | unusual)


def choose(
    names: Iterable[str], makers: Mapping[str, Callable[[], FeatureSource]]
) -> dict[str, FeatureSource]:
    """Make the named sources, in the order in which they are to be asked.

    Raises:
        SettingsError: No source has such a name.
    """
    chosen = list(names)
    for name in chosen:
        if name not in makers:
            known = ", ".join(makers)
            raise SettingsError(f"FEATURE_SOURCES: no source is named {name!r}, only {known}")
    return {name: makers[name]() for name in chosen}
