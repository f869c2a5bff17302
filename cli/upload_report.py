"""The report of an upload: what became of every row.

The backfill sends its counts as `shared.models.UploadReport`; the loader stores them in table
import_report and adds what became of the plays. This module reads both back.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from cli.errors import BadResultError
from cli.local_time import local
from cli.output import Document, Instant, show, table
from cli.statements import STATEMENTS, as_document
from services.collector.backfill.domain.rows import OTHER_PACKAGE
from shared.models import FileProblem
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
    def complaints(self) -> list[str]:
        """The files and rows that could not be read, with reasons."""
        return complaints(self.problems, self.quarantined, self.skipped)


class Upload(Document):
    """One file in the archive; `result` is None until all of it is loaded."""

    file: str
    key: str
    origin: str
    size_bytes: int
    result: UploadReport | None = None


class UploadList(Document):
    """The files that one command uploaded, and the files in folders that it left out."""

    listener: str
    uploads: list[Upload]
    left_out: tuple[FileProblem, ...] = ()


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
    """Return how many plays of an upload are loaded, and how many it has, or None if not read."""
    ((loaded, published),) = database.run(STATEMENTS["upload_progress"], origin=origin)
    return loaded, published


def summarize(
    listener: str, uploads: list[Upload], left_out: tuple[FileProblem, ...] = ()
) -> UploadSummary:
    """Add up the reports of uploads; an upload without a report is not reconciled."""
    reports = _reports(uploads)
    return UploadSummary(
        listener=listener,
        uploads=uploads,
        left_out=left_out,
        rows_in=sum(report.rows_in for report in reports),
        inserted=sum(report.inserted for report in reports),
        upgraded=sum(report.upgraded for report in reports),
        duplicates=sum(report.duplicates for report in reports),
        skipped=_sums(report.skipped for report in reports),
        quarantined=_sums(report.quarantined for report in reports),
        reconciled=all(upload.result and upload.result.is_reconciled for upload in uploads),
    )


def require_success(summary: UploadSummary) -> None:
    """Check that every report is reconciled, and that the files hold plays.

    A file without plays is accepted beside a file with plays, if all of it could be read: it may
    hold only podcasts.

    Raises:
        BadResultError: The rows of a file do not add up, nothing in it could be read, or no file
            has any play.
    """
    faults = [fault for upload in summary.uploads if (fault := _fault(upload))]
    reports = _reports(summary.uploads)
    if not faults and reports and not any(report.published for report in reports):
        skipped = f" (rows skipped: {_counts(summary.skipped)})" if summary.skipped else ""
        files = ", ".join(upload.file for upload in summary.uploads)
        faults = [f"no play of a track is in {files}{skipped}"]
    if faults:
        raise BadResultError("; ".join(faults))


def show_summary(summary: UploadSummary) -> None:
    """Print the sums as a table, then notes on each file; print nothing if no file has a report."""
    if not _reports(summary.uploads):
        return
    shown = table("", numbers=("rows",))
    for name, rows in _lines(summary):
        shown.add_row(name, f"{rows:,}")
    shown.add_section()
    shown.add_row("read", f"{summary.rows_in:,}", style="bold")
    several = len(summary.uploads) > 1
    show(
        shown,
        *(
            f"{Path(upload.file).name}: {line}" if several else line
            for upload in summary.uploads
            if upload.result
            for line in _remarks(upload.result)
        ),
    )


def show_sent(sent: UploadList) -> None:
    """Print the uploaded files, for a person who does not wait for their reports."""
    shown = table("file", "stored as", numbers=("bytes",))
    for upload in sent.uploads:
        shown.add_row(upload.file, upload.key, f"{upload.size_bytes:,}")
    show(shown, "They load automatically: `plays uploads` shows the progress.")


def _lines(summary: UploadSummary) -> Iterable[tuple[str, int]]:
    yield "inserted", summary.inserted
    yield "upgraded a play known from the API", summary.upgraded
    yield "duplicates of known plays", summary.duplicates
    yield from ((f"skipped: {reason}", rows) for reason, rows in summary.skipped.items())
    yield from ((f"quarantined: {reason}", rows) for reason, rows in summary.quarantined.items())


def _remarks(report: UploadReport) -> Iterable[str]:
    if report.first_played_at and report.last_played_at:
        first, last = local(report.first_played_at), local(report.last_played_at)
        yield f"plays from {first} to {last}"
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


def complaints(
    problems: Iterable[FileProblem], quarantined: Mapping[str, int], skipped: Mapping[str, int]
) -> list[str]:
    """Return the files and rows of an upload that could not be read, with reasons.

    Of skipped rows, only those of another data package of Spotify are included; a podcast, for
    example, could be read.
    """
    reasons = [f"{problem.file}: {problem.reason}" for problem in problems]
    other_package = {reason: rows for reason, rows in skipped.items() if reason in OTHER_PACKAGE}
    for name, counts in (("quarantined", quarantined), ("skipped", other_package)):
        if counts:
            reasons.append(f"rows {name}: {_counts(counts)}")
    return reasons


def _counts(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({count:,})" for reason, count in rows.items())


def _fault(upload: Upload) -> str | None:
    report = upload.result
    if report and not report.is_reconciled:
        return (
            f"the rows of {upload.file} do not add up: {report.rows_in} were read, "
            f"{report.accounted_for} are accounted for; please report this as a bug"
        )
    if report and not report.published and report.complaints:
        return f"nothing in {upload.file} could be read: {'; '.join(report.complaints)}"
    return None
