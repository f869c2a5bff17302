"""What several answers tell of one track, put together; pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from shared.models import TrackFeatures

SOUND = (
    *("danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness"),
    *("instrumentalness", "liveness", "valence", "tempo", "time_signature"),
)
"""The fields that tell how a track sounds."""


def told(
    track_uri: str, source: str, fetched_at: datetime, values: Mapping[str, Any]
) -> TrackFeatures | None:
    """Build the features of a track from what a source wrote; None if that tells nothing.

    A value that cannot be, such as an energy of 2, becomes unknown; its neighbours stay.

    Args:
        track_uri: Whose features they are.
        source: Who tells them.
        fetched_at: When.
        values: By the names of `TrackFeatures`; None is unknown.
    """
    known = {name: value for name, value in values.items() if value is not None}
    told_by = {"track_uri": track_uri, "source": source, "fetched_at": fetched_at}
    try:
        return TrackFeatures.model_validate(known | told_by) if known else None
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors(include_url=False)}
    sane = {name: value for name, value in known.items() if name not in wrong}
    return TrackFeatures.model_validate(sane | told_by) if sane else None


def sounds(features: TrackFeatures) -> bool:
    """Whether it is known how a track sounds, be it in part."""
    return any(getattr(features, name) is not None for name in SOUND)


def merged(first: TrackFeatures, second: TrackFeatures) -> TrackFeatures:
    """Fill what one answer about a track leaves open with what another tells.

    The sound is taken as a whole, for `source` and `fetched_at` tell of all of it; likewise the
    popularity with its own.
    """
    heard = second if sounds(second) and not sounds(first) else first
    rated = second if first.popularity is None else first
    timed = second if first.duration_ms is None else first
    together = {"popularity": rated.popularity, "duration_ms": timed.duration_ms}
    return heard.model_copy(update=together | _rating(rated, heard))


def _rating(rated: TrackFeatures, heard: TrackFeatures) -> dict[str, Any]:
    """Name the origin of a popularity, where it is another than that of the sound."""
    source = rated.popularity_source or rated.source
    fetched_at = rated.popularity_fetched_at or rated.fetched_at
    if rated.popularity is None or (source, fetched_at) == (heard.source, heard.fetched_at):
        return {"popularity_source": None, "popularity_fetched_at": None}
    return {"popularity_source": source, "popularity_fetched_at": fetched_at}
