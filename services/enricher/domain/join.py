"""Join plays with the features of their tracks; pure.

Plays stay dicts here, checked as `shared.models.Play` checks them. `Play` objects would take 4 µs
more for each play of a backfill, 5 % of the time of all its processes (`bench.pipeline`).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import Field

# pydantic reads `typing.TypedDict` only from Python 3.12 on.
from typing_extensions import TypedDict

from shared.models import PLAYS_PER_BATCH, Play, PlayBatch, TrackFeatures


def _key_type(name: str) -> Any:
    """Return the type of a field of Play for a TypedDict, as NotRequired if Play has a default."""
    field = Play.model_fields[name]
    checked = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return checked if field.is_required() else NotRequired[checked]


if TYPE_CHECKING:
    PlayFields = dict[str, Any]
else:
    # Derived from Play, so that the two cannot differ.
    PlayFields = TypedDict("PlayFields", {name: _key_type(name) for name in Play.model_fields})


class CollectedBatch(PlayBatch):
    """A `PlayBatch` with plays as dicts; with `features` added, its JSON is an `EnrichedBatch`."""

    plays: list[PlayFields] = Field(default=[], max_length=PLAYS_PER_BATCH)  # type: ignore[assignment]  # the same JSON
    features: tuple[TrackFeatures, ...] = ()


def join(batch: CollectedBatch, known: Mapping[str, TrackFeatures]) -> CollectedBatch:
    """Join a batch with the features of its tracks.

    A play is never dropped: a track without known features stays as it is.

    One batch always becomes one message, because the loader identifies it by `(origin, number)`.
    The features of 500 tracks add at most 300 kB to the 240 kB of a batch, and SQS takes 1 MiB.

    Args:
        batch: Plays of one origin.
        known: Features by track uri; may lack tracks of the batch, and hold others.

    Returns:
        The same plays in the same order, with a known popularity filled in where the play lacked
        it; and the features of each known track once, in order of the plays.
    """
    plays = [_with_popularity(play, known) for play in batch.plays]
    tracks = dict.fromkeys(play["track_uri"] for play in plays)
    features = tuple(known[track] for track in tracks if track in known)
    return batch.model_copy(update={"plays": plays, "features": features})


def _with_popularity(play: PlayFields, known: Mapping[str, TrackFeatures]) -> PlayFields:
    features = known.get(play["track_uri"])
    if features is None or features.popularity is None or play.get("popularity") is not None:
        return play
    return {**play, "popularity": features.popularity}
