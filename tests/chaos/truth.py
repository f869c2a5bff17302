"""What must be in Postgres, computed from what was fed in; knows no code of the project.

A play is a track and the end of the play. Two records of a track less than a second apart are one
play, because Spotify moves ends by some milliseconds and an export cuts them to whole seconds.
"""

import io
import json
import zipfile
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

SAME = timedelta(seconds=1)


class Heard(NamedTuple):
    """A play that was listened to."""

    track_uri: str
    at: datetime


@dataclass
class Export:
    """What a file of an export holds: `plays` gives the longest `ms_played` of each play."""

    rows: int = 0
    plays: dict[Heard, int] = field(default_factory=dict)
    skipped: int = 0
    broken: int = 0


def read_export(name: str, body: bytes) -> Export:
    """Read a JSON file or a zip of JSON files."""
    found = Export()
    files = [body]
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = [archive.read(member) for member in archive.namelist()]
    for text in files:
        for row in json.loads(text):
            found.rows += 1
            _take(found, row)
    return found


def _take(found: Export, row: Mapping[str, Any]) -> None:
    if not row.get("spotify_track_uri"):
        found.skipped += 1
    elif not isinstance(row["ms_played"], int):
        found.broken += 1
    else:
        heard = Heard(row["spotify_track_uri"], datetime.fromisoformat(row["ts"]))
        found.plays[heard] = max(row["ms_played"], found.plays.get(heard, 0))


@dataclass
class Difference:
    """How the rows in Postgres differ from the truth."""

    lost: list[Heard] = field(default_factory=list)
    doubled: list[Heard] = field(default_factory=list)
    alien: list[Heard] = field(default_factory=list)
    shortened: list[Heard] = field(default_factory=list)
    """Plays with another `ms_played` than the longest record of the exports."""


def compare(
    rows: Iterable[tuple[Heard, int | None]],
    exported: Mapping[Heard, int],
    must: Iterable[Heard],
    may: Iterable[Heard],
) -> Difference:
    """Compare the rows of a listener with the truth.

    Args:
        rows: The plays in Postgres, with their `ms_played`.
        exported: The plays of all uploads, with the longest `ms_played` of each.
        must: The plays that an answer of Spotify showed to a poll that succeeded.
        may: All plays that any answer may have shown.
    """
    stored = [(heard, ms_played) for heard, ms_played in rows]
    stored_ends = ends_by_track(heard for heard, _ in stored)
    known = ends_by_track((*exported, *must, *may))
    result = Difference()
    result.lost = [one for one in {*exported, *must} if not near(stored_ends, one)]
    result.alien = [one for one, _ in stored if not near(known, one)]
    for track, ends in stored_ends.items():
        pairs = pairwise(ends)
        result.doubled += [Heard(track, end) for start, end in pairs if end - start < SAME]
    lengths: dict[str, list[tuple[datetime, int | None]]] = defaultdict(list)
    for one, ms_played in stored:
        lengths[one.track_uri].append((one.at, ms_played))
    result.shortened = [
        one
        for one, length in exported.items()
        if not any(ms == length and abs(at - one.at) <= SAME for at, ms in lengths[one.track_uri])
    ]
    return result


def find_false_gaps(
    heard: Sequence[Heard],
    rows: Iterable[Heard],
    gaps: Iterable[tuple[datetime, datetime | None]],
) -> tuple[list[Heard], list[tuple[datetime, datetime | None]]]:
    """Return the lost plays that lie in no open gap, and the open gaps without a lost play.

    Args:
        heard: All plays between the first and the last one that a poll showed.
        rows: The plays in Postgres.
        gaps: The open gaps: start, and end if it has one.
    """
    stored = ends_by_track(rows)
    lost = [one for one in heard if not near(stored, one)]
    opened = list(gaps)
    untold = [one for one in lost if not any(_holds(gap, one) for gap in opened)]
    false = [gap for gap in opened if not any(_holds(gap, one) for one in lost)]
    return untold, false


def _holds(gap: tuple[datetime, datetime | None], one: Heard) -> bool:
    started_at, ended_at = gap
    return started_at <= one.at and (ended_at is None or one.at <= ended_at)


def ends_by_track(plays: Iterable[Heard]) -> dict[str, list[datetime]]:
    """Return the sorted ends of plays by track."""
    ends: dict[str, list[datetime]] = defaultdict(list)
    for track_uri, at in plays:
        ends[track_uri].append(at)
    return {track_uri: sorted(times) for track_uri, times in ends.items()}


def near(ends: Mapping[str, Sequence[datetime]], one: Heard) -> bool:
    """True if a play of the same track ended within `SAME` of this one."""
    times = ends.get(one.track_uri, ())
    place = bisect_left(times, one.at - SAME)
    return place < len(times) and times[place] <= one.at + SAME
