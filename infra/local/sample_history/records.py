"""Rows of a history as the records of an export, in the layouts of three generations.

`endsong` (to 2023): 21 keys, with a user name, IP address and user agent.
`audio-2024`: 19 keys. `audio-2025`: 23 keys, with those of audiobooks.
Values also depend on the time of the play: platforms have long names until October 2023, and
`offline_timestamp` is in milliseconds from 2015 to 2022, otherwise in seconds.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from infra.local import catalogue, names
from infra.local.sample_history.rows import ODD_OFFLINE, Kind, Row

Layout = Literal["endsong", "audio-2024", "audio-2025"]

Record = dict[str, Any]

PLATFORMS = (
    ("Android OS 11 API 30 (Example, EX-100)", "android"),
    ("iOS 13.3.1 (Example12,1)", "ios"),
    ("Windows 10 (10.0.19041; x64; AppX)", "windows"),
    ("OS X 10.15.7 [x86 8]", "osx"),
    ("Linux [x86-64 0]", "linux"),
    ("Partner example cast_tv;Example TV;;tpapi", "not_applicable"),
)
"""The name of each device before October 2023, and its name since then."""

_SHORT_NAMES_SINCE_S = datetime(2023, 10, 1, tzinfo=UTC).timestamp()
_MILLISECONDS_SINCE_S = datetime(2015, 1, 1, tzinfo=UTC).timestamp()
_SECONDS_SINCE_S = datetime(2023, 1, 1, tzinfo=UTC).timestamp()
_SKIPS = ("fwdbtn", "backbtn")


def record(row: Row, layout: Layout, *, earlier: bool = False) -> Record:
    """Write one record of an export.

    Args:
        row: What was played.
        layout: The generation of the export.
        earlier: Write it as an earlier export of the same generation does: with 0 where a later
            one has null, and null where a later one has false (measured).
    """
    old = layout == "endsong"
    session = row.session
    long_name, short_name = PLATFORMS[session.device]
    return {
        "ts": datetime.fromtimestamp(row.ended_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **({"username": "sample-listener"} if old else {}),
        "platform": short_name if row.ended_s >= _SHORT_NAMES_SINCE_S else long_name,
        "ms_played": row.ms_played,
        "conn_country": session.country,
        "ip_addr_decrypted" if old else "ip_addr": _address(session.address),
        **({"user_agent_decrypted": None} if old else {}),
        **_names(row.kind, row.number, layout),
        "reason_start": row.reason_start,
        "reason_end": row.reason_end,
        "shuffle": session.shuffle,
        "skipped": None if old else row.reason_end in _SKIPS or (None if earlier else False),
        "offline": session.offline,
        "offline_timestamp": _offline_timestamp(row, nothing=0 if old or earlier else None),
        "incognito_mode": session.incognito,
    }


@lru_cache(maxsize=50_000)
def _names(kind: Kind, number: int, layout: Layout) -> Record:
    """Write the fields that name the item; the fields of other kinds are null."""
    played = catalogue.track(number) if kind == "track" else None
    episode = kind == "episode"
    written: Record = {
        "master_metadata_track_name": played and played.name,
        "master_metadata_album_artist_name": played and played.album.artist.name,
        "master_metadata_album_album_name": played and played.album.name,
        "spotify_track_uri": played and played.uri,
        "episode_name": f"#{number}: {names.episode_title(number)}" if episode else None,
        "episode_show_name": names.show_name(number // 50) if episode else None,
        "spotify_episode_uri": _uri("episode", number) if episode else None,
    }
    if layout != "audio-2025":
        return written
    book = kind == "audiobook"
    return {
        **written,
        "audiobook_title": names.episode_title(number // 20) if book else None,
        "audiobook_uri": _uri("show", number // 20) if book else None,
        "audiobook_chapter_uri": _uri("episode", 10**9 + number) if book else None,
        "audiobook_chapter_title": f"Chapter {number % 20 + 1}" if book else None,
    }


def _uri(kind: catalogue.Kind, number: int) -> str:
    """Write the Spotify URI of a numbered item."""
    return f"spotify:{kind}:{catalogue.id_of(kind, number)}"


def _offline_timestamp(row: Row, nothing: int | None) -> int | None:
    """Write when the device says that the play began, in the unit used at that time."""
    noted_s = row.offline_s
    if noted_s is None:
        return nothing
    in_ms = _MILLISECONDS_SINCE_S <= row.ended_s < _SECONDS_SINCE_S and noted_s >= ODD_OFFLINE
    return noted_s * 1_000 + 137 if in_ms else noted_s


def _address(number: int) -> str:
    """Write an IP address from the ranges reserved for documentation; one in four is IPv6."""
    network, host = divmod(number, 64)
    return (
        f"192.0.2.{host}",
        f"198.51.100.{host}",
        f"203.0.113.{host}",
        f"2001:db8::{host:x}",
    )[network]
