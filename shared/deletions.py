"""Deletions: rules for plays that a listener does not want, and their keys in the archive.

Postgres decides which plays match a rule (`deletion_matches`). The archive keeps a copy of every
deletion, so that a rebuild of an empty database keeps these plays out too:

`deletions/<listener>/<deleted_at>.json`         a deletion
`deletions/<listener>/<deleted_at>.undone.json`  the undo of that deletion
"""

from datetime import UTC
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from shared.models import INT4_MAX, BoundedInstant, Listener, Message, Text, TrackUri

FOLDER = "deletions"
UNDONE = ".undone.json"

Names = tuple[Text, ...]


class DeletionRule(Message):
    """Which plays a deletion keeps out: those that meet every condition that is set.

    A play meets a condition with several names if it has one of them. Names are compared ignoring
    case, and full-width letters equal normal ones. `platform` is any part of the name of a device
    or program.
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
            raise ValueError("a rule without a condition matches every play: set at least one")
        return self


class Deletion(Message):
    """One deletion of a listener; `deleted_at` is its key."""

    listener: Listener
    rule: DeletionRule
    deleted_at: AwareDatetime
    deleted_by: Text


class Undo(Message):
    """The undo of the deletion with the same `listener` and `deleted_at`."""

    listener: Listener
    deleted_at: AwareDatetime
    undone_at: AwareDatetime
    undone_by: Text


def archive_key(of: Deletion | Undo) -> str:
    """Return the key of a deletion in the archive, or of its undo."""
    instant = of.deleted_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{FOLDER}/{of.listener}/{instant}{UNDONE if isinstance(of, Undo) else '.json'}"
