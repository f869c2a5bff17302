"""Records and rows: what one source says of a play, and what the table stores of it; pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

from shared.models import Play, Source

API: Source = "recently-played"
EXPORT: Source = "extended-history"

FIELDS = tuple(Play.model_fields)
PLAYED_AT, POPULARITY = FIELDS.index("played_at"), FIELDS.index("popularity")
values_of: Callable[[Play], tuple[object, ...]] = attrgetter(*FIELDS)


@dataclass(slots=True, eq=False)
class Record:
    """What one source says of one play.

    `batch` is the number of the batch that brought it, or None if it was read from Postgres.
    `row_id` is the id of its stored row, or None if the record is new.
    """

    source: Source
    play: Play
    batch: int | None = None
    row_id: int | None = None


@dataclass(slots=True, eq=False)
class Row:
    """One row of listening_history, and all records that are merged into it.

    `api` and `export` are the records whose values it shows; at least one of them is set. `deleted`
    is true if a deletion keeps the row out of listening_history.
    """

    id: int | None
    played_at: datetime
    api: Record | None
    export: Record | None
    records: list[Record]
    deleted: bool = False

    @property
    def source(self) -> str:
        """The source of its records: `recently-played` (API), `extended-history` or `both`."""
        if self.api and self.export:
            return "both"
        return API if self.api else EXPORT

    def values(self) -> list[object]:
        """Return the row's values in the order of `FIELDS`.

        Each is the value of the API record, or that of the export record if the API has none.
        """
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
        """The greatest popularity among its API records; if none has one, among the export's.

        All records count, not just those that the row shows, so that SQL can compute it in the same
        way when it fills in the popularity of one record.
        """
        for source in (API, EXPORT):
            given = [r.play.popularity for r in self.records if r.source == source]
            if known := [popularity for popularity in given if popularity is not None]:
                return max(known)
        return None


instant_of: Callable[[Record], datetime] = attrgetter("play.played_at")
"""Returns the end of the record's play."""


def apart(earlier: Record, later: Record) -> timedelta:
    """Return how much later the second record's play ended."""
    return instant_of(later) - instant_of(earlier)
