"""The report of an upload: where every row ended, added up and told."""

from collections import Counter
from collections.abc import Iterable, Mapping

from cli.errors import CommandError
from cli.output import Document, show, table
from cli.upload_results import ImportResult
from shared.models import iso


class Upload(Document):
    """One file in the archive, and what became of it once that is known."""

    file: str
    key: str
    origin: str
    size_bytes: int
    result: ImportResult | None = None


class UploadList(Document):
    """What one command uploaded."""

    listener: str
    uploads: list[Upload]


class Reconciled(UploadList):
    """What one command uploaded, and where the rows of all of it ended.

    `reconciled`: rows_in = inserted + upgraded + duplicates + skipped + quarantined.
    """

    rows_in: int
    inserted: int
    upgraded: int
    duplicates: int
    skipped: dict[str, int]
    quarantined: dict[str, int]
    reconciled: bool


def add_up(listener: str, uploads: list[Upload]) -> Reconciled:
    """Add up the rows of uploads; one without a result adds none, and is not reconciled."""
    results = _results(uploads)
    return Reconciled(
        listener=listener,
        uploads=uploads,
        rows_in=sum(result.rows_in for result in results),
        inserted=sum(result.inserted for result in results),
        upgraded=sum(result.upgraded for result in results),
        duplicates=sum(result.duplicates for result in results),
        skipped=_merged(result.skipped for result in results),
        quarantined=_merged(result.quarantined for result in results),
        reconciled=all(upload.result and upload.result.is_reconciled for upload in uploads),
    )


def judge(report: Reconciled) -> None:
    """Decide whether the upload as a whole was one.

    Raises:
        CommandError: The rows of a file do not add up, or there was nothing in it to read.
    """
    for upload in report.uploads:
        result = upload.result
        if result and not result.is_reconciled:
            raise CommandError(
                f"the rows of {upload.file} do not add up: {result.rows_in} were read, "
                f"{result.accounted_for} are accounted for; please report it"
            )
        if result and result.is_unreadable:
            raise CommandError(f"nothing in {upload.file} could be read: {_why(result)}")


def show_report(report: Reconciled) -> None:
    """Print the report for a person: a table of the rows, then what could not be read.

    Prints nothing where no upload has a result: a table of zeros would be none.
    """
    if not _results(report.uploads):
        return
    shown = table("", numbers=("rows",))
    for name, rows in _lines(report):
        shown.add_row(name, f"{rows:,}")
    shown.add_section()
    shown.add_row("read", f"{report.rows_in:,}", style="bold")
    show(shown, *(line for result in _results(report.uploads) for line in _remarks(result)))


def show_sent(report: UploadList) -> None:
    """Print what was sent, for a person who does not wait for more."""
    shown = table("file", "stored as", numbers=("bytes",))
    for upload in report.uploads:
        shown.add_row(upload.file, upload.key, f"{upload.size_bytes:,}")
    show(shown, "They load by themselves: `plays status` shows how far.")


def _lines(report: Reconciled) -> Iterable[tuple[str, int]]:
    yield "inserted", report.inserted
    yield "upgraded a play known from the API", report.upgraded
    yield "duplicates of plays known already", report.duplicates
    yield from ((f"skipped: {reason}", rows) for reason, rows in report.skipped.items())
    yield from ((f"quarantined: {reason}", rows) for reason, rows in report.quarantined.items())


def _remarks(result: ImportResult) -> Iterable[str]:
    if result.first_played_at and result.last_played_at:
        yield f"plays from {iso(result.first_played_at)} to {iso(result.last_played_at)}"
    if result.api_rows:
        yield (
            f"the API told of {result.api_rows:,} plays in that time; "
            f"{result.api_rows_without_partner:,} of them are in no export"
        )
    if result.unusual_ids:
        yield (
            f"plays with an unusual track id (not 22 letters and digits): {result.unusual_ids:,}; "
            "they are loaded like the others"
        )
    yield from (f"not read: {problem.file}: {problem.reason}" for problem in result.problems)


def _results(uploads: Iterable[Upload]) -> list[ImportResult]:
    return [upload.result for upload in uploads if upload.result]


def _merged(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    merged: Counter[str] = Counter()
    for count in counts:
        merged.update(count)
    return dict(sorted(merged.items()))


def _why(result: ImportResult) -> str:
    reasons = [f"{problem.file}: {problem.reason}" for problem in result.problems]
    for bucket, counts in (("quarantined", result.quarantined), ("skipped", result.other_package)):
        if counts:
            rows = (f"{reason} ({count:,})" for reason, count in counts.items())
            reasons.append(f"rows {bucket}: {', '.join(rows)}")
    return "; ".join(reasons)
