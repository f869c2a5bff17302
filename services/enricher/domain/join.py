"""The pure heart of the enricher: plays and what is known of their tracks become one message.

A million plays need not become objects to be passed on: they are checked as `shared.models.Play`
checks them, and stay dicts.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NotRequired

from pydantic import Field

# pydantic reads `typing.TypedDict` only from Python 3.12 on.
from typing_extensions import TypedDict

from services.enricher.domain.entry import KnownFeatures
from shared.models import PLAYS_PER_BATCH, EnrichedBatch, Play, PlayBatch


def _typed(name: str) -> Any:
    """Give the type of a field of Play, as a key of a dict."""
    field = Play.model_fields[name]
    checked = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    return checked if field.is_required() else NotRequired[checked]


if TYPE_CHECKING:
    PlayFields = dict[str, Any]
else:
    # Made of Play, so that the two cannot differ.
    PlayFields = TypedDict("PlayFields", {name: _typed(name) for name in Play.model_fields})


class CollectedBatch(PlayBatch):
    """A `PlayBatch` whose plays are dicts with the fields of `Play`."""

    plays: list[PlayFields] = Field(default=[], max_length=PLAYS_PER_BATCH)  # type: ignore[assignment]  # as good to a reader


def join(batch: CollectedBatch, known: Mapping[str, KnownFeatures]) -> str:
    """Join a batch with the features of its tracks.

    A play is never dropped: a track without known features stays as it is, because the listening
    happened whether or not anyone measured the track.

    One batch always becomes one message, since `(origin, number)` is counted downstream. 500
    tracks add 300 kB at most to the 240 kB of a batch, and SQS takes 1 MiB.

    Args:
        batch: Plays of one origin.
        known: By track uri. May lack some tracks, and hold others.

    Returns:
        The JSON of an `EnrichedBatch`: the same plays in the same order, with the popularity
        where it is known and the source of the play did not tell it; and the features of each
        known track once, in order of the plays.
    """
    tracks = dict.fromkeys(play["track_uri"] for play in batch.plays)
    joined = batch.model_copy(update={"plays": [_with_popularity(p, known) for p in batch.plays]})
    features = (known[track] for track in tracks if track in known)
    return _with_features(joined.model_dump_json(exclude_none=True), features)


def healing_batch(origin: str, number: int, known: Iterable[KnownFeatures]) -> str:
    """Write the JSON of an `EnrichedBatch` that has features alone.

    What one call to a source can tell fills 40 kB at most.
    """
    batch = EnrichedBatch(origin=origin, number=number)
    fields = batch.model_dump_json(exclude_none=True, exclude={"plays", "features"})
    return _with_features(fields, known)


def _with_features(batch: str, known: Iterable[KnownFeatures]) -> str:
    return f'{batch[:-1]},"features":[{",".join(one.text for one in known)}]}}'


def _with_popularity(play: PlayFields, known: Mapping[str, KnownFeatures]) -> PlayFields:
    features = known.get(play["track_uri"])
    if features is None or features.popularity is None or play.get("popularity") is not None:
        return play
    return {**play, "popularity": features.popularity}
