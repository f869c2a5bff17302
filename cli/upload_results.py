"""What became of uploads and polls, as Postgres tells it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from cli.output import Document, Instant
from services.collector.backfill.domain.rows import OTHER_PACKAGE
from shared.models import FileProblem
from shared.named_sql import read
from shared.queries import Reader

_Document = TypeVar("_Document", bound=Document)

STATEMENTS = read(Path(__file__).parent / "statements.sql")


class ImportResult(Document):
    """Where every row of one upload ended; instants are ends of plays, in UTC.

    `api_rows` are the plays that the API told of in the same time; `api_rows_without_partner` of
    them are in no export. `offset_*_s`: how far the API's `played_at` lies after the export's
    `ts`, in seconds, by percentile. `unusual_ids` of the published plays have a track id that is
    not 22 letters and digits.
    """

    rows_in: int
    published: int
    inserted: int
    upgraded: int
    duplicates: int
    skipped: dict[str, int]
    quarantined: dict[str, int]
    files: tuple[str, ...]
    problems: tuple[FileProblem, ...]
    first_played_at: Instant | None
    last_played_at: Instant | None
    api_rows: int
    api_rows_without_partner: int
    offset_p50_s: float | None
    offset_p90_s: float | None
    offset_p99_s: float | None
    unusual_ids: int

    @property
    def accounted_for(self) -> int:
        """The rows whose end is known: loaded, skipped or quarantined."""
        set_aside = sum(self.skipped.values()) + sum(self.quarantined.values())
        return self.inserted + self.upgraded + self.duplicates + set_aside

    @property
    def is_reconciled(self) -> bool:
        """Whether every row that was read is accounted for."""
        return self.rows_in == self.accounted_for

    @property
    def is_unreadable(self) -> bool:
        """True if no row could be read, or all rows are of another package than the history.

        A skipped row of the right package, such as a podcast, was read.
        """
        unusable = sum(self.quarantined.values()) + sum(self.other_package.values())
        return self.rows_in == unusable and bool(unusable or self.problems)

    @property
    def other_package(self) -> dict[str, int]:
        """The skipped rows that name no track because another package was requested."""
        return {reason: rows for reason, rows in self.skipped.items() if reason in OTHER_PACKAGE}


class PollResult(Document):
    """What one poll saw, and what became of its plays.

    `returned` counts the rows of Spotify's answer. The collector sends on those that it does not
    know, which are inserted, upgraded or duplicates; what it knows, nobody counts.
    """

    listener: str
    polled_at: Instant
    returned: int
    new: int
    late: int
    moved: int
    unreadable: int
    inserted: int
    upgraded: int
    duplicates: int

    @property
    def known(self) -> int:
        """The rows of plays that were known before this poll, or that came twice in it."""
        return self.returned - self.inserted - self.upgraded - self.unreadable


def fetch_import(database: Reader, origin: str) -> ImportResult | None:
    """Fetch the result of an upload; None until every batch of it is loaded."""
    rows = database.run(STATEMENTS["import"], origin=origin)
    return as_document(ImportResult, rows[0]) if rows else None


def fetch_progress(database: Reader, origin: str) -> tuple[int, int | None]:
    """Tell how many plays of an upload are loaded, and of how many, once that is known."""
    ((loaded, published),) = database.run(STATEMENTS["import_progress"], origin=origin)
    return loaded, published


def fetch_poll(database: Reader, origin: str, batches: int) -> PollResult | None:
    """Fetch the result of a poll; None until every batch of it is loaded."""
    rows = database.run(STATEMENTS["poll"], origin=origin, batches=batches)
    return as_document(PollResult, rows[0]) if rows else None


def as_document(model: type[_Document], row: Sequence[object]) -> _Document:
    """Read a row whose columns stand in the order of the document's fields."""
    return model.model_validate(dict(zip(model.model_fields, row, strict=True)))
