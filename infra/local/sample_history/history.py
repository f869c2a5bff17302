"""A whole export: an audio and a video history, split into files, counted while written."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path

from infra.local.catalogue import dice
from infra.local.sample_history.archive import FOLDER, write_export_zip
from infra.local.sample_history.records import Layout, Record, record
from infra.local.sample_history.rows import AUDIO, VIDEO, Row, Shares
from infra.local.sample_history.story import first_day, sessions
from infra.local.sample_history.summary import HistorySummary, Tally

ROWS_PER_FILE = 15_000

_VIDEOS = 0.02
# Videos have tracks of their own, because audio and video files of one export share no record.
_FIRST_VIDEO = 10_000_000
# Of 100 timestamps, this many are 1 s later in the earlier of two exports.
_MOVED = 3
_TELLING_MS = 1_000

_second = attrgetter("ended_s")


def write_history_zip(
    path: Path,
    *,
    plays: int = 5_000,
    seed: int = 1,
    until: datetime,
    since: datetime | None = None,
    layout: Layout = "audio-2025",
    shares: Shares = AUDIO,
    as_of: datetime | None = None,
) -> HistorySummary:
    """Write the export of one invented person; the same arguments give the same bytes.

    Args:
        path: The zip file; an existing one is replaced.
        plays: Records in all files together; at least one.
        seed: Determines the person.
        until: When the export was made; the last play is some hours older.
        since: The day of the first play; by default 30 plays a day, but not before 2012.
        layout: The generation of the export.
        shares: How often each oddity occurs in audio files.
        as_of: Write the export that the same person got at this earlier instant instead. It ends
            there, and 3 % of its timestamps are 1 s later. Only plays above 1 s move, so that both
            exports loaded together give the plays of the later one.

    Returns:
        A summary of the files.

    Raises:
        ValueError: So many plays do not fit into the time.
    """
    since = since or first_day(plays, until)
    videos = round(plays * _VIDEOS)
    of_audio = sessions(
        plays - videos, since=since, until=until, rng=dice(seed, "audio"), shares=shares
    )
    of_video = sessions(
        videos,
        since=since,
        until=until,
        rng=dice(seed, "video"),
        shares=VIDEO,
        first_number=_FIRST_VIDEO,
    )
    exported = partial(_exported, layout=layout, as_of=as_of)
    tally = Tally()
    files = chain(
        _audio_files(map(exported, of_audio), layout), _video_files(map(exported, of_video), layout)
    )
    write_export_zip(
        path,
        (_written(name, rows, tally, layout, earlier=as_of is not None) for name, rows in files),
        written_at=as_of or until,
        folder="MyData" if layout == "endsong" else FOLDER,
    )
    return tally.summary()


def _exported(session: list[Row], layout: Layout, as_of: datetime | None) -> list[Row]:
    """Return the rows of a session that an export contains."""
    if layout != "audio-2025":
        # These layouts have no keys for audiobooks, so such a record has only its time.
        session = [
            row._replace(kind="unnamed", number=0) if row.kind == "audiobook" else row
            for row in session
        ]
    if as_of is None:
        return session
    known = (row for row in session if row.ended_s < as_of.timestamp())
    return [row for _, rows in groupby(known, key=_second) for row in _earlier(list(rows))]


def _earlier(rows: list[Row]) -> list[Row]:
    """Return the rows of one second as an earlier export has them: in some seconds, 1 s later."""
    stays = rows[0].ended_s * 40_503 % 100 >= _MOVED
    if stays or min(row.ms_played for row in rows) <= _TELLING_MS:
        return rows
    return [row._replace(ended_s=row.ended_s + 1) for row in rows]


def _audio_files(story: Iterable[list[Row]], layout: Layout) -> Iterator[tuple[str, list[Row]]]:
    """Split a history into the audio files of an export, between sessions."""
    for number, rows in enumerate(_cut(story, ROWS_PER_FILE)):
        old = layout == "endsong"
        yield f"endsong_{number}" if old else f"{_name('Audio', rows)}_{number}", rows


def _video_files(story: Iterable[list[Row]], layout: Layout) -> Iterator[tuple[str, list[Row]]]:
    """Put a history into the single video file of an export."""
    for rows in _cut(story, sys.maxsize):
        yield "endvideo" if layout == "endsong" else _name("Video", rows), rows


def _cut(story: Iterable[list[Row]], size: int) -> Iterator[list[Row]]:
    """Yield chunks of whole sessions, each of at least `size` rows except the last."""
    rows: list[Row] = []
    for session in story:
        rows += session
        if len(rows) >= size:
            yield rows
            rows = []
    if rows:
        yield rows


def _name(medium: str, rows: list[Row]) -> str:
    """Name a file by the years that it covers."""
    first, last = (datetime.fromtimestamp(row.ended_s, UTC).year for row in (rows[0], rows[-1]))
    years = str(first) if first == last else f"{first}-{last}"
    return f"Streaming_History_{medium}_{years}"


def _written(
    name: str, rows: list[Row], tally: Tally, layout: Layout, *, earlier: bool
) -> tuple[str, Iterator[Record]]:
    """Count a file's rows; return its name and records, unordered in the layout `endsong`."""
    file = f"{name}.json"
    tally.add(file, rows)
    if layout == "endsong":
        dice("order", name).shuffle(rows)
    return file, (record(row, layout, earlier=earlier) for row in rows)
