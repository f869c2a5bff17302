"""A whole history export: two stories, cut into files, counted while they are written."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from infra.local.catalogue import dice
from infra.local.sample_history.archive import write_export_zip
from infra.local.sample_history.records import Record, record
from infra.local.sample_history.rows import AUDIO, VIDEO, Row, Shares
from infra.local.sample_history.story import first_day, sessions
from infra.local.sample_history.summary import HistorySummary, Tally

ROWS_PER_FILE = 15_000

_VIDEOS = 0.02
# Videos have tracks of their own: the audio and video file of one export share no record.
_FIRST_VIDEO = 10_000_000
# Of 100 seconds, this many are 1 s later in the earlier of two exports.
_MOVED = 3
_MOVED_ABOVE_MS = 1_000

_second = attrgetter("ended_s")


def write_history_zip(
    path: Path,
    *,
    plays: int = 5_000,
    seed: int = 1,
    until: datetime,
    since: datetime | None = None,
    shares: Shares = AUDIO,
    as_of: datetime | None = None,
) -> HistorySummary:
    """Write the export of one invented person; the same arguments give the same bytes.

    Args:
        path: The zip file; one that exists is replaced.
        plays: Records in all files together; at least one.
        seed: Who the person is.
        until: When the export was made; the last play is some hours older.
        since: The day of the first play; by default 30 plays a day, but not before 2012.
        shares: How often each oddity occurs in audio files.
        as_of: Write the export that the same person got at this earlier instant instead. It ends
            there, and 3 % of its seconds are 1 s later. Only plays above 1 s move, so that both
            exports loaded together give the plays of the later one.

    Returns:
        What the files hold.

    Raises:
        ValueError: There is no time for so many plays.
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
    exported = partial(_exported, as_of=as_of)
    tally = Tally()
    write_export_zip(
        path,
        (
            _written(name, rows, tally, earlier=as_of is not None)
            for name, rows in _files(map(exported, of_audio), map(exported, of_video))
        ),
        written_at=as_of or until,
    )
    return tally.summary()


def _exported(session: list[Row], as_of: datetime | None) -> list[Row]:
    """Return the rows of a session that an export contains."""
    if as_of is None:
        return session
    known = (row for row in session if row.ended_s < as_of.timestamp())
    return [row for _, rows in groupby(known, key=_second) for row in _earlier(list(rows))]


def _earlier(rows: list[Row]) -> list[Row]:
    """Return the rows of one second as an earlier export has them: some of them 1 s later."""
    stays = rows[0].ended_s * 40_503 % 100 >= _MOVED
    if stays or min(row.ms_played for row in rows) <= _MOVED_ABOVE_MS:
        return rows
    return [row._replace(ended_s=row.ended_s + 1) for row in rows]


def _files(
    audio: Iterable[list[Row]], video: Iterable[list[Row]]
) -> Iterator[tuple[str, list[Row]]]:
    """Cut two stories into the audio files and the one video file of an export."""
    for number, rows in enumerate(_cut(audio, ROWS_PER_FILE)):
        yield f"{_name('Audio', rows)}_{number}", rows
    for rows in _cut(video, sys.maxsize):
        yield _name("Video", rows), rows


def _cut(story: Iterable[list[Row]], size: int) -> Iterator[list[Row]]:
    """Gather sessions until they have `size` rows."""
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
    name: str, rows: list[Row], tally: Tally, *, earlier: bool
) -> tuple[str, Iterator[Record]]:
    """Count the rows of a file, and return its name and records."""
    tally.add(rows)
    return f"{name}.json", (record(row, earlier=earlier) for row in rows)
