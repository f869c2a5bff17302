"""The zip file of an export, in Spotify's file layout of 2025, written file by file."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from infra.local import catalogue, names
from infra.local.sample_history.person import DISCOUNT, PLATFORMS, Kind, Row, sessions

FOLDER = "Spotify Extended Streaming History"
ROWS_PER_FILE = 15_000

_SHORT_NAMES_SINCE_S = datetime(2023, 10, 1, tzinfo=UTC).timestamp()
# Of 100 timestamps, this many are 1 s later in the earlier of two exports.
_MOVED = 3
# Only plays above this move, because the loader cannot match shorter ones.
_MATCHED_MS = 1_000
# A line break in the separator lets the fast C encoder indent records; they must be flat.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",\n    ", ": ")).encode


@dataclass
class HistorySummary:
    """Counts of an export's records, with which a loader's counts can be reconciled."""

    rows: int = 0
    music: int = 0
    """Records of a track; the others are of podcasts, of audiobooks, or without any name."""
    distinct_plays: int = 0
    """Distinct (ts, uri) among the records of tracks, which is the number of plays to load."""
    tracks: set[int] = field(default_factory=set, repr=False)

    @property
    def distinct_tracks(self) -> int:
        """The number of distinct tracks."""
        return len(self.tracks)

    def counted(self, story: Iterable[list[Row]]) -> Iterator[list[Row]]:
        """Yield the sessions unchanged, and count their rows."""
        for session in story:
            music = [(row.ended_s, row.number) for row in session if row.kind == "track"]
            self.rows += len(session)
            self.music += len(music)
            self.distinct_plays += len(set(music))
            self.tracks.update(number for _, number in music)
            yield session


def write_history_zip(
    path: Path,
    *,
    plays: int,
    seed: int = 1,
    until: datetime,
    since: datetime | None = None,
    discount: float = DISCOUNT,
    as_of: datetime | None = None,
) -> HistorySummary:
    """Write the export of one invented person; the same arguments give the same bytes.

    Args:
        path: The zip file; an existing one is replaced.
        plays: Records in all files together; at least one.
        seed: Determines the person.
        until: When the export was made; the last play is some hours older.
        since: The day of the first play; by default the day that gives 30 plays a day, but not
            before 2012.
        discount: The higher it is, the more distinct tracks are played; see `person.DISCOUNT`.
        as_of: Write the export that the same person got at this earlier instant instead. It ends
            there, and 3 % of its timestamps are 1 s later. Only plays above 1 s move, so that both
            exports loaded together give the plays of the later one.
    """
    story = sessions(plays, seed=seed, until=until, since=since, discount=discount)
    if as_of:
        story = _as_of(story, as_of.timestamp())
    summary = HistorySummary()
    with ZipFile(path, "w") as archive:
        for name, rows in _files(summary.counted(story)):
            # A fixed time of modification, so that equal input gives equal bytes.
            entry = ZipInfo(f"{FOLDER}/{name}.json", (as_of or until).timetuple()[:6])
            entry.compress_type = ZIP_DEFLATED
            records = "\n  },\n  {\n    ".join(_encode(_record(row))[1:-1] for row in rows)
            archive.writestr(entry, f"[\n  {{\n    {records}\n  }}\n]")
    return summary


def _as_of(story: Iterable[list[Row]], end_s: float) -> Iterator[list[Row]]:
    """Yield the sessions that an earlier export contains, with some timestamps 1 s later."""
    for session in story:
        known = [row for row in session if row.ended_s < end_s]
        moved: list[Row] = []
        for ended_s, group in groupby(known, key=attrgetter("ended_s")):
            together = list(group)
            is_long = min(row.ms_played for row in together) > _MATCHED_MS
            shift_s = int(is_long and ended_s * 40_503 % 100 < _MOVED)
            moved += [row._replace(ended_s=ended_s + shift_s) for row in together]
        if moved:
            yield moved


def _files(story: Iterable[list[Row]]) -> Iterator[tuple[str, list[Row]]]:
    """Yield name and rows of each file: first audio files, then one file of all videos.

    No session is split between two files.
    """
    audio: list[Row] = []
    video: list[Row] = []
    number = 0
    for session in story:
        (video if session[0].session.is_video else audio).extend(session)
        if len(audio) >= ROWS_PER_FILE:
            yield f"{_name('Audio', audio)}_{number}", audio
            audio, number = [], number + 1
    if audio:
        yield f"{_name('Audio', audio)}_{number}", audio
    if video:
        yield _name("Video", video), video


def _name(medium: str, rows: list[Row]) -> str:
    """Return the name of an export file, with the years that its plays cover."""
    first, last = (datetime.fromtimestamp(row.ended_s, UTC).year for row in (rows[0], rows[-1]))
    years = str(first) if first == last else f"{first}-{last}"
    return f"Streaming_History_{medium}_{years}"


def _record(row: Row) -> dict[str, Any]:
    """Return one record of an export file."""
    session = row.session
    long_name, short_name = PLATFORMS[session.device]
    return {
        "ts": datetime.fromtimestamp(row.ended_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "platform": short_name if row.ended_s >= _SHORT_NAMES_SINCE_S else long_name,
        "ms_played": row.ms_played,
        "conn_country": session.country,
        "ip_addr": session.address,
        **_names(row.kind, row.number),
        "reason_start": row.reason_start,
        "reason_end": row.reason_end,
        "shuffle": session.shuffle,
        "skipped": row.reason_end in ("fwdbtn", "backbtn"),
        "offline": session.offline,
        "offline_timestamp": row.ended_s - row.ms_played // 1_000,
        "incognito_mode": session.incognito,
    }


@lru_cache(maxsize=50_000)
def _names(kind: Kind, number: int) -> dict[str, Any]:
    """Return the fields that name the played item; the fields for other kinds are null."""
    track = catalogue.track(number) if kind == "track" else None
    episode, book = kind == "episode", kind == "audiobook"
    return {
        "master_metadata_track_name": track and track.name,
        "master_metadata_album_artist_name": track and track.album.artist.name,
        "master_metadata_album_album_name": track and track.album.name,
        "spotify_track_uri": track and track.uri,
        "episode_name": f"#{number}: {names.episode_title(number)}" if episode else None,
        "episode_show_name": names.show_name(number // 50) if episode else None,
        "spotify_episode_uri": _uri("episode", number) if episode else None,
        "audiobook_title": names.episode_title(number // 20) if book else None,
        "audiobook_uri": _uri("show", number // 20) if book else None,
        "audiobook_chapter_uri": _uri("episode", 10**9 + number) if book else None,
        "audiobook_chapter_title": f"Chapter {number % 20 + 1}" if book else None,
    }


def _uri(kind: catalogue.Kind, number: int) -> str:
    """Write the Spotify URI of a numbered item."""
    return f"spotify:{kind}:{catalogue.id_of(kind, number)}"
