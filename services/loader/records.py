"""Records and rows: what a source says of a play, and what the table shows of it; pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from shared.models import Play, Source

COMPILATION = "various artists"
"""How an export names the artist of a compilation, in lower case."""

API: Source = "recently-played"
EXPORT: Source = "extended-history"

FIELDS = tuple(Play.model_fields)
PLAYED_AT, POPULARITY = FIELDS.index("played_at"), FIELDS.index("popularity")
values_of: Callable[[Play], tuple[object, ...]] = attrgetter(*FIELDS)


@dataclass(slots=True, eq=False)
class Record:
    """What one source says of one play.

    `batch` is the incoming batch that brought it, None when it is stored; `row_id` the stored row
    that stands for it.
    """

    source: Source
    play: Play
    batch: int | None = None
    row_id: int | None = None


@dataclass(slots=True, eq=False)
class Row:
    """One row of listening_history and every record that it stands for.

    `api` and `export` are the records whose words it shows; at least one is there.
    """

    id: int | None
    played_at: datetime
    api: Record | None
    export: Record | None
    records: list[Record]

    @property
    def source(self) -> str:
        """`recently-played`, `extended-history` or `both`."""
        if self.api and self.export:
            return "both"
        return API if self.api else EXPORT

    def values(self) -> list[object]:
        """Give the columns that a Play has, in its order: the API's word first."""
        shown = [values_of(record.play) for record in (self.api, self.export) if record]
        merged = list(shown[0])
        for value in shown[1:]:
            merged = [ours if ours is not None else theirs
                      for ours, theirs in zip(merged, value, strict=True)]  # fmt: skip
        merged[PLAYED_AT] = self.played_at
        if len(self.records) > 1:
            merged[POPULARITY] = self.popularity
        return merged

    @property
    def popularity(self) -> int | None:
        """The greatest that the API told of, else the greatest of an export's tracks.

        Of all records, not just those it shows, so that SQL can tell it when one is filled in.
        """
        for source in (API, EXPORT):
            told = [r.play.popularity for r in self.records if r.source == source]
            if known := [popularity for popularity in told if popularity is not None]:
                return max(known)
        return None


def instant_of(record: Record) -> datetime:
    """Tell when the record's play ended."""
    return record.play.played_at


def apart(earlier: Record, later: Record) -> timedelta:
    """Tell how much later the second record's play ended."""
    return instant_of(later) - instant_of(earlier)


def is_same_track(one: Play, other: Play) -> bool:
    """Tell whether two plays are of one recording, as far as their own words say."""
    return one.track_uri == other.track_uri or not {*track_keys(one)}.isdisjoint(track_keys(other))


def track_keys(play: Play) -> Iterator[object]:
    """Give what two plays of the same track have at least one of in common."""
    yield play.track_uri
    if play.isrc:
        yield "isrc", play.isrc
    names = _names(play)
    if all(names):
        yield names


def _names(play: Play) -> tuple[str, ...]:
    names = play.track_name.casefold(), play.artist_name.casefold()
    # Of compilations the export names nobody as the artist, and many have an "Intro".
    return (*names, (play.album_name or "").casefold()) if names[1] == COMPILATION else names
