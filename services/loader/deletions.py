"""Deletions in Postgres: moves plays out of listening_history and back, and marks rows to keep out.

A row that matches a deletion is kept in table deleted_play. New records are merged with the rows of
both tables, so the order of loads, deletions and undos does not matter.
"""

import json
from collections.abc import Sequence

from services.loader.domain.records import FIELDS, Row
from services.loader.statements import run
from shared.deletions import Deletion, Undo, archive_key
from shared.postgres import Database

_COMPARED = ("track_uri", "track_name", "artist_name", "album_name", "platform", "ms_played")
_PLACES = [(name, FIELDS.index(name)) for name in _COMPARED]


def has_deletions(database: Database, listener: str) -> bool:
    """True if the listener has at least one deletion that is not undone."""
    ((found,),) = run(database, "has_deletions", listener=listener)
    return bool(found)


def mark_deleted(database: Database, listener: str, rows: Sequence[Row]) -> None:
    """Set `deleted` to True on each row that matches a deletion of the listener."""
    compared = []
    for number, row in enumerate(rows):
        values = row.values()
        fields = {name: values[place] for name, place in _PLACES}
        compared.append({"number": number, "played_at": str(row.played_at), **fields})
    found = run(database, "deleted_rows", listener=listener, rows=json.dumps(compared))
    for (number,) in found:
        rows[number].deleted = True


def delete(database: Database, deletion: Deletion) -> int:
    """Record a deletion and move the plays that it matches out of listening_history.

    A deletion that is already recorded changes nothing. The caller's transaction must hold the
    listener's lock, so that no load of this listener runs meanwhile.

    Returns:
        The number of plays that were moved.
    """
    rule = deletion.rule.model_dump_json(exclude_none=True)
    recorded = run(database, "record_deletion", **deletion.model_dump(exclude={"rule"}), rule=rule)
    if not recorded:
        return 0
    ((plays,),) = run(database, "move_deleted_plays", id=recorded[0][0])
    _book(database, deletion, -plays)
    return int(plays)


def undo(database: Database, undone: Undo) -> int:
    """Mark a deletion as undone and move its plays back into listening_history.

    Plays that match another deletion of the listener stay in deleted_play. The caller's
    transaction must hold the listener's lock and the lock on writing.

    Returns:
        The number of plays that were moved back; 0 if the deletion is unknown or undone already.
    """
    if not run(database, "undo_deletion", **undone.model_dump()):
        return 0
    ((plays, tracks),) = run(database, "restore_plays", listener=undone.listener)
    # Features may have arrived meanwhile.
    if tracks and (shared := run(database, "fill_popularity", tracks=tracks)):
        run(database, "show_popularity", ids=[play_id for (play_id,) in shared])
    _book(database, undone, plays)
    return int(plays)


def _book(database: Database, fact: Deletion | Undo, plays: int) -> None:
    """Record in loaded_batch how many plays a deletion moved out (negative) or an undo moved back.

    The origin of the row is the archive key of the deletion or undo.
    """
    origin = archive_key(fact)
    run(database, "book_moved_plays", origin=origin, listener=fact.listener, plays=plays)
