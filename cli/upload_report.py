"""The report of an upload: what became of every row.

The backfill sends its counts as `shared.models.UploadReport`; the loader stores them in table
import_report and adds what became of the plays. This module reads both back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from cli.errors import CommandError
from cli.output import Document, Instant, show, table
from cli.statements import STATEMENTS, as_document
from services.collector.backfill.domain.rows import OTHER_PACKAGE
from shared.models import FileProblem, iso
from shared.queries import Reader


class UploadReport(Document):
    """What became of every row of one upload; instants are ends of plays, in UTC.

    `api_rows` counts the plays from the API in the same time, and `api_rows_without_partner` those
    of them that are in no export. `offset_*_s` are percentiles of the API's `played_at` minus the
    export's `ts`, in seconds. `unusual_ids` counts the published plays whose track id is not 22
    letters and digits.
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
        """How many rows were loaded, skipped or quarantined."""
        set_aside = sum(self.skipped.values()) + sum(self.quarantined.values())
        return self.inserted + self.upgraded + self.duplicates + set_aside

    @property
    def is_reconciled(self) -> bool:
        """True if every row is accounted for."""
        return self.rows_in == self.accounted_for

    @property
    def is_unreadable(self) -> bool:
        """True if no row could be read, or all rows come from another package of Spotify's.

        A skipped row of the right package, such as a podcast, counts as read.
        """
        unusable = sum(self.quarantined.values()) + sum(self.other_package.values())
        return self.rows_in == unusable and bool(unusable or self.problems)

    @property
    def other_package(self) -> dict[str, int]:
        """Skipped rows without a track id, because the person requested another package."""
        return {reason: rows for reason, rows in self.skipped.items() if reason in OTHER_PACKAGE}


class Upload(Document):
    """One file in the archive; `result` is None until all of it is loaded."""

    file: str
    key: str
    origin: str
    size_bytes: int
    result: UploadReport | None = None


class UploadList(Document):
    """The files that one command uploaded."""

    listener: str
    uploads: list[Upload]


class UploadSummary(UploadList):
    """The files that one command uploaded, and the sums of their reports.

    `reconciled`: rows_in = inserted + upgraded + duplicates + skipped + quarantined.
    """

    rows_in: int
    inserted: int
    upgraded: int
    duplicates: int
    skipped: dict[str, int]
    quarantined: dict[str, int]
    reconciled: bool


def fetch_upload_report(database: Reader, origin: str) -> UploadReport | None:
    """Read the report of an upload; None until its last batch is loaded."""
    rows = database.run(STATEMENTS["upload_report"], origin=origin)
    return as_document(UploadReport, rows[0]) if rows else None


def fetch_upload_progress(database: Reader, origin: str) -> tuple[int, int | None]:
    """Return how many plays of an upload are loaded, and how many it has, if already known."""
    ((loaded, published),) = database.run(STATEMENTS["upload_progress"], origin=origin)
    return loaded, published


def summarize(listener: str, uploads: list[Upload]) -> UploadSummary:
    """Add up the reports of uploads; an upload without one is not reconciled."""
    reports = _reports(uploads)
    return UploadSummary(
        listener=listener,
        uploads=uploads,
        rows_in=sum(report.rows_in for report in reports),
        inserted=sum(report.inserted for report in reports),
        upgraded=sum(report.upgraded for report in reports),
        duplicates=sum(report.duplicates for report in reports),
        skipped=_sums(report.skipped for report in reports),
        quarantined=_sums(report.quarantined for report in reports),
        reconciled=all(upload.result and upload.result.is_reconciled for upload in uploads),
    )


def require_success(summary: UploadSummary) -> None:
    """Check that every report is reconciled and some rows of each file could be read.

    Raises:
        CommandError: The rows of a file do not add up, or no row of it could be read.
    """
    for upload in summary.uploads:
        report = upload.result
        if report and not report.is_reconciled:
            raise CommandError(
                f"the rows of {upload.file} do not add up: {report.rows_in} were read, "
                f"{report.accounted_for} are accounted for; please report this as a bug"
            )
        if report and report.is_unreadable:
            raise CommandError(f"nothing in {upload.file} could be read: {_why(report)}")


def show_summary(summary: UploadSummary) -> None:
    """Print the sums as a table, then what could not be read; nothing without any report."""
    if not _reports(summary.uploads):
        return
    shown = table("", numbers=("rows",))
    for name, rows in _lines(summary):
        shown.add_row(name, f"{rows:,}")
    shown.add_section()
    shown.add_row("read", f"{summary.rows_in:,}", style="bold")
    show(shown, *(line for report in _reports(summary.uploads) for line in _remarks(report)))


def show_sent(sent: UploadList) -> None:
    """Print the uploaded files, for a person who does not wait for their reports."""
    shown = table("file", "stored as", numbers=("bytes",))
    for upload in sent.uploads:
        shown.add_row(upload.file, upload.key, f"{upload.size_bytes:,}")
    show(shown, "They load automatically: `plays status` shows the progress.")


def _lines(summary: UploadSummary) -> Iterable[tuple[str, int]]:
    yield "inserted", summary.inserted
    yield "upgraded a play known from the API", summary.upgraded
    yield "duplicates of known plays", summary.duplicates
    yield from ((f"skipped: {reason}", rows) for reason, rows in summary.skipped.items())
    yield from ((f"quarantined: {reason}", rows) for reason, rows in summary.quarantined.items())


def _remarks(report: UploadReport) -> Iterable[str]:
    if report.first_played_at and report.last_played_at:
        yield f"plays from {iso(report.first_played_at)} to {iso(report.last_played_at)}"
    if report.api_rows:
        yield (
            f"the API reported {report.api_rows:,} plays in that time; "
            f"{report.api_rows_without_partner:,} of them are in no export"
        )
    if report.unusual_ids:
        yield (
            f"plays with an unusual track id (not 22 letters and digits): {report.unusual_ids:,}; "
            "they are loaded like the others"
        )
    yield from (f"not read: {problem.file}: {problem.reason}" for problem in report.problems)


def _reports(uploads: Iterable[Upload]) -> list[UploadReport]:
    return [upload.result for upload in uploads if upload.result]


def _sums(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = sum(map(Counter, counts), Counter())
    return dict(sorted(total.items()))


def _why(report: UploadReport) -> str:
    reasons = [f"{problem.file}: {problem.reason}" for problem in report.problems]
    for name, counts in (("quarantined", report.quarantined), ("skipped", report.other_package)):
        if counts:
            rows = (f"{reason} ({count:,})" for reason, count in counts.items())
            reasons.append(f"rows {name}: {', '.join(rows)}")
    return "; ".join(reasons)
