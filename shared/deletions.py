"""Deletions: which plays a listener does not want, and where the archive keeps that.

Postgres decides which plays match a rule (`deletion_matches`). The archive repeats every deletion,
so that a rebuild of an empty database keeps these plays out too:

`deletions/<listener>/<deleted_at>.json`         a deletion
`deletions/<listener>/<deleted_at>.undone.json`  that it was undone
"""

from datetime import UTC
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from shared.models import INT4_MAX, BoundedInstant, Listener, Message, Text, TrackUri

FOLDER = "deletions"
UNDONE = ".undone.json"

Names = tuple[Text, ...]


class DeletionRule(Message):
    """The plays of a deletion: those that meet every condition that is set.

    A play meets a condition with several names if it has one of them. Names are compared without
    case and width, and `platform` is part of the name of a device or program.
    """

    tracks: tuple[TrackUri | Text, ...] = ()
    """Names, or URIs such as `spotify:track:…`."""
    artists: Names = ()
    albums: Names = ()
    platform: Text | None = None
    shorter_than_ms: Annotated[int, Field(gt=0, le=INT4_MAX)] | None = None
    """A play whose length is unknown, as of all live plays, is not shorter."""
    since: BoundedInstant | None = None
    until: BoundedInstant | None = None
    """Plays end at `since` or later, and before `until`."""

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if not any(self.model_dump().values()):
            raise ValueError("a rule without a condition matches every play")
        return self


class Deletion(Message):
    """One deletion of a listener; `deleted_at` is its key."""

    listener: Listener
    rule: DeletionRule
    deleted_at: AwareDatetime
    deleted_by: Text


class Undo(Message):
    """That a deletion no longer holds."""

    listener: Listener
    deleted_at: AwareDatetime
    undone_at: AwareDatetime
    undone_by: Text


def archive_key(of: Deletion | Undo) -> str:
    """Return the key of a deletion in the archive, or of its undo."""
    instant = of.deleted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{FOLDER}/{of.listener}/{instant}{UNDONE if isinstance(of, Undo) else '.json'}"
