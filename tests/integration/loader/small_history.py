"""Thirty-one plays of one listener and three of another, small enough to count by hand.

`me` listens in Berlin. 2019: Boats on three evenings in a row, Trains skipped once, played twice.
2020: Trains, then Boats, which only the API shows. 2023: Old Song twenty times, a minute each.
2024: Boats on two days. An upload covers all of it, except one day in July 2024 with an open gap.
`anna` has no time zone, and shares both artists.
"""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.postgres import Database

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE_MS = 60_000

BOATS = ("spotify:track:boats", "Boats", "The Example", "Harbour")
TRAINS = ("spotify:track:trains", "Trains", "Other", "Rails")
OLD_SONG = ("spotify:track:old", "Old Song", "Other Two", None)


def store(database: Database, owner: Database) -> None:
    """Store it, as the loader and the listener's settings do."""
    owner.run("INSERT INTO listener_setting (listener, time_zone) VALUES ('me', 'Europe/Berlin')")
    database.run(
        "INSERT INTO track_features (track_uri, duration_ms, energy, valence, tempo, source, "
        "fetched_at) VALUES (:uri, :length, 0.8, 0.6, 120, 'reccobeats', now())",
        uri=BOATS[0],
        length=4 * MINUTE_MS,
    )
    for day in ("2019-03-10 21:00", "2019-03-11 22:00", "2019-03-12 22:04"):
        hear(database, BOATS, day, 4)
    hear(database, TRAINS, "2019-03-10 21:05", 1 / 3, reason_end="fwdbtn")
    for day in ("2019-03-16 00:10", "2019-05-04 12:00"):
        hear(database, TRAINS, day, 5)
    hear(database, TRAINS, "2020-01-05 12:00", 3)
    hear_live(database, BOATS, "2020-01-05 12:10", 4)
    first = datetime.fromisoformat("2023-05-01 10:01")
    for minute in range(20):
        at = str(first + timedelta(minutes=minute))
        hear(database, OLD_SONG, at, 1, reason_end="fwdbtn")
    for day in ("2024-06-01 15:00", "2024-06-01 15:05", "2024-06-02 15:00"):
        hear(database, BOATS, day, 4, platform="ios")
    hear(database, BOATS, "2024-06-01 09:00", 4, listener="anna")
    for day in ("2024-06-01 09:10", "2024-06-01 09:20"):
        hear(database, TRAINS, day, 5, listener="anna")
    _upload(database, "2019-01-01 00:00", "2999-01-01 00:00")
    _open_gap(database, "2024-07-01 00:00", "2024-07-02 00:00")


def hear(
    database: Database, track: tuple[str | None, ...], ended: str, minutes: float, **columns: Any
) -> None:
    """Store a play of an export, with its end in Berlin's time."""
    row = {
        "listener": "me",
        "source": "extended-history",
        "ms_played": round(minutes * MINUTE_MS),
        "platform": "windows",
        "reason_end": "trackdone",
        "skipped": False,
    }
    _insert(database, track, ended, row | columns)


def hear_live(database: Database, track: tuple[str | None, ...], ended: str, length: float) -> None:
    """Store a play that only the API shows, of a track of so many minutes."""
    row = {"listener": "me", "source": "recently-played", "duration_ms": length * MINUTE_MS}
    _insert(database, track, ended, row)


def refresh(database: Database) -> None:
    """Refresh the derived tables, as the loader does after a load."""
    assert database.run("SELECT derived.refresh(1000)") == [[0]]


def _insert(
    database: Database, track: tuple[str | None, ...], ended: str, columns: dict[str, Any]
) -> None:
    names = ("track_uri", "track_name", "artist_name", "album_name")
    row = dict(zip(names, track, strict=True)) | {"played_at": _in_berlin(ended)} | columns
    database.run(
        f"INSERT INTO listening_history ({', '.join(row)}) "  # noqa: S608 - our own words
        f"VALUES ({', '.join(f':{name}' for name in row)})",
        **row,
    )


def _upload(database: Database, started: str, ended: str) -> None:
    span = {"started_at": str(_in_berlin(started)), "ended_at": str(_in_berlin(ended))}
    database.run(
        "INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, "
        "quarantined, files, problems, spans) "
        "VALUES ('history/me/export.zip', 'me', 1, 30, 30, '{}', '{}', '[]', '[]', :spans)",
        spans=json.dumps([span]),
    )
    database.run(
        "INSERT INTO loaded_batch VALUES ('history/me/export.zip', 0, 'me', 30, 30, 0, 0, 0)"
    )


def _open_gap(database: Database, started: str, ended: str) -> None:
    database.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin) "
        "VALUES ('me', :started_at, :ended_at, 'no answer', 'outages/me')",
        started_at=_in_berlin(started),
        ended_at=_in_berlin(ended),
    )


def _in_berlin(clock: str) -> datetime:
    return datetime.fromisoformat(clock).replace(tzinfo=BERLIN)
