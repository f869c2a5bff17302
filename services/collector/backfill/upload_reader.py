"""Reads one upload: plays go into batches, unreadable rows into quarantine.

Every row is counted in exactly one bucket: rows in = published + skipped + quarantined. The report
names everything that could not be read.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol, get_args

from pydantic_core import to_json

from services.collector.backfill.domain.coverage import Ends, Part, covered
from services.collector.backfill.domain.json_stream import read_rows
from services.collector.backfill.domain.rows import (
    NOT_UTF8,
    Quarantined,
    Rows,
    Skipped,
    without_persons,
)
from services.collector.backfill.zip_files import HistoryFile, history_files, is_video
from shared.errors import UploadError
from shared.models import FileProblem, UploadReport, has_usual_id

ROWS = 5_000_000
"""Most rows of an upload; a lifetime of listening has about 1,000,000."""
KEPT_ROWS = 10_000
"""Most rows in quarantine, enough to see what is wrong with a file."""
KEPT_BYTES = 64 << 20
"""Most bytes in quarantine."""
LISTED = 200
"""Most files, and most problems, in a report, because it must fit into one message."""
NAME_LENGTH = 100
"""Most characters of a file's name in a report; a longer name keeps its end."""

Bucket = Literal["published", "skipped", "quarantined"]
Counts = Counter[tuple[Bucket, str]]
"""The number of rows by bucket and reason; the reason is empty for published rows."""

TOO_LATE = (
    "reading took too long, so the rest is not read: "
    "unpack the zip, and upload its files one by one"
)


class FileCounts(NamedTuple):
    """The row counts of one file."""

    file: str
    counts: Counts

    def buckets(self) -> dict[Bucket, int]:
        """Return the number of rows in each bucket: published, skipped, quarantined."""
        return {
            bucket: sum(rows for (into, _), rows in self.counts.items() if into == bucket)
            for bucket in get_args(Bucket)
        }


class PlaySink(Protocol):
    """Takes the plays of an upload, such as `Batches`."""

    def add(self, plays: Sequence[Mapping[str, Any]]) -> None:
        """Take plays, in the order of the file."""
        ...


class UploadReader:
    """Reads one upload and collects its report."""

    def __init__(
        self,
        batches: PlaySink,
        quarantine: BinaryIO,
        uploaded_at: datetime,
        is_late: Callable[[], bool],
    ) -> None:
        self._batches = batches
        self._quarantine = quarantine
        self._kept = 0
        self._keeps = True
        self._uploaded_at = uploaded_at
        self._is_late = is_late
        self._stopped = ""
        self._counts: Counts = Counter()
        self._files: list[str] = []
        self._problems: list[FileProblem] = []
        self._ends = Ends()
        self._parts: list[Part] = []
        self._unusual_ids = 0

    def read(self, upload: BinaryIO, name: str) -> Iterator[FileCounts]:
        """Read a zip or the single file `name`; yield the counts of each file.

        Reading ends soon after row number ROWS, or once `is_late` is true.

        Raises:
            UploadError: Nothing of the upload can be read.
        """
        for file in history_files(upload, name):
            self._files.append(_legible(file.name))
            yield FileCounts(self._files[-1], self._read_file(file))

    def refuse(self, name: str, reason: str) -> None:
        """Add a problem to the report."""
        self._problems.append(FileProblem(file=_legible(name), reason=reason))

    def report(self, batches: int) -> UploadReport:
        """Return the report; `batches` is the number of published batches."""
        files, problems = self._files[:LISTED], self._problems[:LISTED]
        if len(self._files) > LISTED:
            files.append(f"and {len(self._files) - LISTED} more")
        if len(self._problems) > LISTED:
            more = f"and {len(self._problems) - LISTED} more problems"
            problems.append(FileProblem(file="", reason=more))
        return UploadReport(
            rows_in=self._counts.total(),
            published=self._counts["published", ""],
            skipped=self._reasons("skipped"),
            quarantined=self._reasons("quarantined"),
            files=tuple(files),
            problems=tuple(problems),
            batches=batches,
            first_played_at=self._ends.first,
            last_played_at=self._ends.last,
            spans=covered(self._parts),
            unusual_ids=self._unusual_ids,
        )

    def _reasons(self, bucket: Bucket) -> dict[str, int]:
        return {why: rows for (into, why), rows in self._counts.items() if into == bucket}

    def _read_file(self, file: HistoryFile) -> Counts:
        counts: Counts = Counter()
        ends = Ends()
        is_whole = self._sort_all(file, counts, ends)
        if is_whole and not counts:
            self.refuse(file.name, "its list is empty: it holds no plays")
        if counts["quarantined", NOT_UTF8]:
            self.refuse(file.name, "not all of it is UTF-8 text: save the file as UTF-8")
        self._counts += counts
        is_whole &= all(into != "quarantined" for into, _ in counts)
        self._cover(file, ends, is_whole=is_whole)
        return counts

    def _sort_all(self, file: HistoryFile, counts: Counts, ends: Ends) -> bool:
        """Put the rows of a file into buckets; return True if it was read to its end."""
        try:
            self._stop_in_time(counts)
            for rows in read_rows(file.chunks, self._uploaded_at):
                self._sort(rows, file.name, counts, ends)
                self._stop_in_time(counts)
        except UploadError as error:
            self.refuse(file.name, str(error))
            return False
        return True

    def _stop_in_time(self, counts: Counts) -> None:
        """Raise UploadError if the upload has too many rows or takes too long."""
        if self._counts.total() + counts.total() > ROWS:
            self._stopped = f"more than {ROWS:,} rows: the rest is not read; upload it in parts"
        elif self._is_late():
            self._stopped = TOO_LATE
        if self._stopped:
            raise UploadError(self._stopped)

    def _cover(self, file: HistoryFile, ends: Ends, *, is_whole: bool) -> None:
        """Add the time from a file's first to its last play; videos cover no time of music."""
        if ends.span:
            self._ends.take([ends.span.started_at, ends.span.ended_at])
        if not is_video(file.name):
            self._parts.append(Part(file.name, ends.span, is_whole))

    def _sort(self, rows: Rows, file: str, counts: Counts, ends: Ends) -> None:
        """Put each row into its bucket and count it."""
        plays = [row for row in rows if not isinstance(row, (Skipped, Quarantined))]
        if len(plays) < len(rows):
            for number, row in enumerate(rows, start=counts.total() + 1):
                if isinstance(row, Skipped):
                    counts["skipped", row.reason] += 1
                elif isinstance(row, Quarantined):
                    counts["quarantined", row.reason] += 1
                    self._keep(file, number, row)
        if plays:
            counts["published", ""] += len(plays)
            ends.take([play["played_at"] for play in plays])
            self._unusual_ids += sum(not has_usual_id(play["track_uri"]) for play in plays)
            self._batches.add(plays)

    def _keep(self, file: str, number: int, row: Quarantined) -> None:
        """Write an unreadable row into quarantine; once one exceeds the limits, write no more."""
        if not self._keeps:
            return
        record = without_persons(row.record)
        fields = {"file": _legible(file), "row": number, "reason": row.reason, "record": record}
        line = to_json(fields, inf_nan_mode="null") + b"\n"
        if self._kept == KEPT_ROWS or self._quarantine.tell() + len(line) > KEPT_BYTES:
            self._keeps = False
            self.refuse(file, f"from row {number:,} on unreadable rows are only counted, not kept")
        else:
            self._quarantine.write(line)
            self._kept += 1


def _legible(name: str) -> str:
    """Keep at most the last `NAME_LENGTH` characters of a name; replace unprintable ones."""
    name = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
    return name if len(name) <= NAME_LENGTH else "…" + name[1 - NAME_LENGTH :]
