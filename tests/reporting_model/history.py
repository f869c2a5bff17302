"""Each play with its derived values: its local time, its length, its counts, its names."""

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar
from zoneinfo import ZoneInfo

from tests.reporting_model.names import (
    Key,
    album_key,
    artist_key,
    names_by_uri,
    spellings,
    track_key,
)
from tests.reporting_model.world import Row, World

K = TypeVar("K")

MS = timedelta(milliseconds=1)
USUAL_LENGTH_MS = 210_000
SHORTEST_MS = 30_000


@dataclass(frozen=True)
class Play:
    """One play; `row` and `features` are rows of the tables."""

    row: Row
    features: Row
    zone: ZoneInfo
    ms: int
    artist: Key
    track: Key
    album: Key | None

    @property
    def listener(self) -> str:
        return self.row["listener"]

    @property
    def ended_at(self) -> datetime:
        return self.row["played_at"]

    @property
    def started_at(self) -> datetime:
        return self.ended_at - self.ms * MS

    @cached_property
    def local(self) -> datetime:
        return self.ended_at.astimezone(self.zone).replace(tzinfo=None, fold=0)

    @cached_property
    def date(self) -> dt.date:
        return self.local.date()

    @cached_property
    def month(self) -> dt.date:
        return self.date.replace(day=1)

    @property
    def is_estimate(self) -> bool:
        return self.row["ms_played"] is None

    @cached_property
    def length(self) -> int | None:
        return length_of(self.row, self.features)

    @cached_property
    def is_skip(self) -> bool | None:
        if self.row["source"] == "recently-played":
            return None
        return self.row["ms_played"] < SHORTEST_MS or bool(self.row["skipped"])

    @cached_property
    def counted(self) -> dict[str, bool]:
        """True for each rule by which it counts."""
        return {rule: counts(self) for rule, counts in RULES.items()}


def length_of(row: Row, features: Row) -> int | None:
    known = row["duration_ms"]
    return known if known is not None else features.get("duration_ms")


def _counts_by_half(play: Play) -> bool:
    length = USUAL_LENGTH_MS if play.length is None else play.length
    return length >= 30_000 and (play.ms >= 240_000 or 2 * play.ms >= length)


def _is_done(play: Play) -> bool:
    if play.row["reason_end"] == "trackdone":
        return True
    return play.length is not None and play.ms >= play.length - 2_000


RULES: dict[str, Callable[[Play], bool]] = {
    "all": lambda play: True,
    "30s": lambda play: play.ms >= 30_000,
    "half": _counts_by_half,
    "done": _is_done,
}


class History:
    """All plays of a world, ordered by their ends."""

    def __init__(self, world: World) -> None:
        self.world = world
        by_uri = names_by_uri(world.plays)
        self._spellings = spellings(by_uri)
        self._by_listener: dict[str, list[Play]] = defaultdict(list)
        played = estimates(world)
        self.plays = []
        for row in sorted(world.plays, key=lambda row: (row["played_at"], row["track_uri"])):
            names = by_uri[row["track_uri"]]
            self.plays.append(
                Play(
                    row=row,
                    features=world.features.get(row["track_uri"], {}),
                    zone=self.zone(row["listener"]),
                    ms=row["ms_played"] if row["ms_played"] is not None else played[row["id"]],
                    artist=artist_key(names),
                    track=track_key(names),
                    album=album_key(names),
                )
            )
            self._by_listener[row["listener"]].append(self.plays[-1])

    def zone(self, listener: str) -> ZoneInfo:
        return ZoneInfo(self.world.zones.get(listener, "UTC"))

    def today(self, listener: str) -> date:
        return self.world.now.astimezone(self.zone(listener)).date()

    def of(self, listener: str) -> list[Play]:
        return self._by_listener[listener]

    def artist_names(self, artist: Key) -> Row:
        return {"artist_name": self._spellings["artist_name"][artist]}

    def track_names(self, track: Key) -> Row:
        return {
            **self.artist_names(track[:1]),
            "track_name": self._spellings["track_name"][track],
        }

    def album_names(self, album: Key | None) -> Row:
        if album is None:
            return {"artist_name": None, "album_name": None}
        return {
            **self.artist_names(album[:1]),
            "album_name": self._spellings["album_name"][album],
        }


def estimates(world: World) -> dict[int, int]:
    """Return the playing time that is assumed if a row reports none, milliseconds, by id."""
    ends = defaultdict(set)
    for row in world.plays:
        ends[row["listener"]].add(row["played_at"])
    before: dict[tuple[str, datetime], datetime] = {}
    for listener, theirs in ends.items():
        ordered = sorted(theirs)
        before |= {(listener, end): last for last, end in itertools.pairwise(ordered)}
    return {
        row["id"]: _estimate(
            length_of(row, world.features.get(row["track_uri"], {})),
            row["played_at"],
            before.get((row["listener"], row["played_at"])),
        )
        for row in world.plays
    }


def _estimate(length: int | None, ended_at: datetime, previous_end: datetime | None) -> int:
    longest = USUAL_LENGTH_MS if length is None else length
    if previous_end is not None:
        longest = min(longest, (ended_at - previous_end) // MS)
    return max(SHORTEST_MS, longest)


def grouped(plays: Iterable[Play], key: Callable[[Play], K]) -> dict[K, list[Play]]:
    """Return the plays of each key; their order is kept."""
    groups: dict[K, list[Play]] = defaultdict(list)
    for play in plays:
        groups[key(play)].append(play)
    return groups
