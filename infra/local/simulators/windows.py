"""Rules for the window of recently played plays: all that Spotify was measured to do to it.

Rows are play history objects, newest first; what comes out may stand in any order. The measured
shares and sizes stand with the defaults in `scenarios_api`.
"""

from datetime import timedelta
from typing import Any

from infra.local.simulators.scenarios import Row, Scene
from infra.local.simulators.wire import instant, written


def empty(_: Scene, __: list[Row]) -> list[Row]:
    """Show nothing."""
    return []


def shrunken(scene: Scene, rows: list[Row]) -> list[Row]:
    """Show the newest `plays` only."""
    return rows[: scene.parameters["plays"]]


def late(scene: Scene, rows: list[Row]) -> list[Row]:
    """Hold some plays back until `delay_s` after their end, when later ones are known already."""
    delay = timedelta(seconds=scene.parameters["delay_s"])
    return [row for row in rows if not _chosen(scene, row) or scene.now >= _ended_at(row) + delay]


def doubled(scene: Scene, rows: list[Row]) -> list[Row]:
    """Show some plays twice, `apart_ms` from each other."""
    twins = [_moved(row, scene.parameters["apart_ms"]) for row in rows if _chosen(scene, row)]
    return [*rows, *twins]


def moved(scene: Scene, rows: list[Row]) -> list[Row]:
    """Move some plays of before the scenario by `shift_ms`, so that the older key is gone."""
    shift_ms = scene.parameters["shift_ms"]
    return [_moved(row, shift_ms) if _chosen_before(scene, row) else row for row in rows]


def vanished(scene: Scene, rows: list[Row]) -> list[Row]:
    """Hide some plays of before the scenario, from the midst of the window; they come back."""
    return [row for row in rows if not _chosen_before(scene, row)]


def without_context(scene: Scene, rows: list[Row]) -> list[Row]:
    """Do not tell what a track was played from."""
    return [{**row, "context": None} if _chosen(scene, row) else row for row in rows]


def null_track(scene: Scene, rows: list[Row]) -> list[Row]:
    """Give no track for some plays."""
    return [{**row, "track": None} if _chosen(scene, row) else row for row in rows]


def null_id(scene: Scene, rows: list[Row]) -> list[Row]:
    """Give some tracks no id, so that their uri alone names them."""
    return [_with_track(row, id=None) if _chosen(scene, row) else row for row in rows]


def local(scene: Scene, rows: list[Row]) -> list[Row]:
    """Let some plays be of files that Spotify does not have."""
    return [_local(row) if _chosen(scene, row) else row for row in rows]


def _chosen(scene: Scene, row: Row) -> bool:
    return scene.chooses(row["played_at"])


def _chosen_before(scene: Scene, row: Row) -> bool:
    return _ended_at(row) <= scene.began_at and _chosen(scene, row)


def _ended_at(row: Row) -> Any:
    return instant(row["played_at"])


def _moved(row: Row, shift_ms: int) -> Row:
    return {**row, "played_at": written(_ended_at(row) + timedelta(milliseconds=shift_ms))}


def _with_track(row: Row, **fields: Any) -> Row:
    return {**row, "track": row["track"] and {**row["track"], **fields}}


def _local(row: Row) -> Row:
    """Write a local file's play: all that names it at Spotify is null."""
    name = (row["track"] or {}).get("name", "")
    nameless: Row = {"external_urls": {}, "href": None, "id": None, "uri": None}
    return _with_track(
        row,
        **nameless | {"uri": f"spotify:local:::{name.replace(' ', '+')}:180"},
        album={"artists": [], "images": [], "name": "", "type": "album", **nameless},
        artists=[{"name": "", "type": "artist", **nameless}],
        external_ids={},
        is_local=True,
    )
