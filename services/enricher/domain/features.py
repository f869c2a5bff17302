"""The features of one track from one or several answers; pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.models import TrackFeatures

AUDIO_FEATURES = (
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "time_signature"),
)
"""The fields of `TrackFeatures` that describe how a track sounds."""


def read_features(
    track_uri: str, source: str, fetched_at: datetime, values: Mapping[str, Any]
) -> TrackFeatures | None:
    """Read the features of a track from the values in an answer.

    An impossible value, such as an energy of 2, becomes unknown; the other values stay.

    Args:
        track_uri: The track.
        source: Name of the source that answered.
        fetched_at: The time of the answer.
        values: The values in the answer, by the field names of `TrackFeatures`; None means unknown.

    Returns:
        None if no value is known.
    """
    known = {name: value for name, value in values.items() if value is not None}
    about = {"track_uri": track_uri, "source": source, "fetched_at": fetched_at}
    try:
        return TrackFeatures.model_validate(known | about) if known else None
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors(include_url=False)}
    valid = {name: value for name, value in known.items() if name not in wrong}
    return TrackFeatures.model_validate(valid | about) if valid else None


def has_audio_features(features: TrackFeatures) -> bool:
    """True if at least one audio feature is known."""
    return any(getattr(features, name) is not None for name in AUDIO_FEATURES)


def merged(first: TrackFeatures, second: TrackFeatures) -> TrackFeatures:
    """Return the first answer about a track, with its unknown values filled in from the second.

    All audio features come from one answer, because `source` and `fetched_at` describe them
    together. Popularity has its own source and time.
    """
    audio = second if has_audio_features(second) and not has_audio_features(first) else first
    rated = second if first.popularity is None else first
    timed = second if first.duration_ms is None else first
    joined = {"popularity": rated.popularity, "duration_ms": timed.duration_ms}
    return audio.model_copy(update=joined | _popularity_origin(rated, audio))


def _popularity_origin(rated: TrackFeatures, audio: TrackFeatures) -> dict[str, Any]:
    """Return the fields `popularity_source` and `popularity_fetched_at` of merged features.

    Both are None if the popularity is unknown, or if both equal those of the audio features.
    """
    source = rated.popularity_source or rated.source
    fetched_at = rated.popularity_fetched_at or rated.fetched_at
    if rated.popularity is None or (source, fetched_at) == (audio.source, audio.fetched_at):
        return {"popularity_source": None, "popularity_fetched_at": None}
    return {"popularity_source": source, "popularity_fetched_at": fetched_at}
