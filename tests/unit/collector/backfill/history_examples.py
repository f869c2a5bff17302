"""Rows and files of a listening history, as Spotify writes them."""

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any

UPLOADED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
TRACK = "spotify:track:1AAAAAAAAAAAAAAAAAAAAA"


def a_row(**changes: Any) -> dict[str, Any]:
    """One row of an export of 2024 or later."""
    return {
        "ts": "2026-05-02T18:31:37Z",
        "platform": "android",
        "ms_played": 174424,
        "conn_country": "DE",
        "ip_addr": "203.0.113.7",
        "master_metadata_track_name": "Paper Boats",
        "master_metadata_album_artist_name": "The Example",
        "master_metadata_album_album_name": "Harbour",
        "spotify_track_uri": TRACK,
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "audiobook_title": None,
        "audiobook_uri": None,
        "audiobook_chapter_uri": None,
        "audiobook_chapter_title": None,
        "reason_start": "fwdbtn",
        "reason_end": "trackdone",
        "shuffle": True,
        "skipped": False,
        "offline": True,
        "offline_timestamp": 1777746523,
        "incognito_mode": False,
    } | changes


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def a_trackless_row(**changes: Any) -> dict[str, Any]:
    """A row without a track: all fields of a track are null."""
    track_fields = {
        "master_metadata_track_name": None,
        "master_metadata_album_artist_name": None,
        "master_metadata_album_album_name": None,
        "spotify_track_uri": None,
    }
    return a_row(**track_fields, **changes)


def a_file(*rows: Any) -> bytes:
    """A history file, pretty-printed as Spotify does."""
    return json.dumps(rows, indent=2, ensure_ascii=False).encode()


def a_zip(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    return packed
