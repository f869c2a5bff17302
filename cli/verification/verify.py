"""Reads the archive, then compares it with Postgres, listener by listener."""

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic

from rich.progress import Progress

from cli.archive_reader import ArchiveReader
from cli.output import Document, Instant, count_progress
from cli.queues import depth, queue_pairs
from cli.target import Target
from cli.verification.findings import Examples, Finding
from cli.verification.gaps import Seen, seen
from cli.verification.plays import MARGIN, Scope, compare_plays
from cli.verification.poll_checks import PollChecks, complete_uploads, covered_by_uploads
from cli.verification.records import Records
from shared.archive import listener_of

MARGIN_OF_CLOCKS = timedelta(days=1)
"""How long after its upload a play may end."""
NEVER = datetime.min.replace(tzinfo=UTC)
STEP_ROWS = 1_000
"""Rows between two updates of the progress bar."""


class Verification(Document):
    """The result of `plays verify`: what was compared, and the differences found, if any."""

    listeners: list[str]
    since: Instant | None
    answers: int
    uploads: int
    records: int
    """What the uploads and answers say of plays, repetitions included."""
    plays: int
    """Plays that were compared."""
    seconds: float
    messages_in_flight: int
    """Messages that were still in the queues; what they carry may be reported as missing."""
    findings: list[Finding]

    @property
    def is_clean(self) -> bool:
        """True if nothing differs."""
        return not self.findings


class Verifier:
    """One verification of some listeners, since an instant or of all time.

    What is archived after this object is made is left out, because it may not be loaded yet.
    """

    def __init__(
        self, target: Target, listeners: Sequence[str], start: datetime | None, window: timedelta
    ) -> None:
        self._target = target
        self._listeners = listeners
        self._start = start
        self._window = window
        self._now = datetime.now(UTC)
        self._archive = ArchiveReader(target, listeners)
        self._uploads = self._archive.uploads()
        self._keys = {listener: self._archive.answers(listener) for listener in listeners}
        self._records = self._answers = 0

    def run(self, in_flight: int) -> Verification:
        """Compare the archive with Postgres; show progress on stderr.

        Args:
            in_flight: How many messages were in the queues before this call.
        """
        began = monotonic()
        findings: list[Finding] = []
        plays = 0
        with Records() as records, count_progress() as progress, self._target.database() as reader:
            uploaded = complete_uploads(reader)
            findings += self._lost_uploads(uploaded)
            self._read_uploads(records, progress)
            for listener in self._listeners:
                answers = self._read_answers(listener, records, progress)
                scope = Scope(listener, self._start, self._now, self._window)
                with _counted(progress, f"comparing {listener}") as advance:
                    found = compare_plays(reader, records.of(listener), scope, advance)
                plays += found.rows
                findings += found.findings(listener)
                checks = PollChecks(self._target, reader, listener, self._start)
                findings += checks.run(answers, covered_by_uploads(uploaded, listener))
        findings += self._unreadable() + self._dead_letters()
        return Verification(
            listeners=list(self._listeners),
            since=self._start,
            answers=self._answers,
            uploads=len(self._uploads),
            records=self._records,
            plays=plays,
            seconds=round(monotonic() - began, 2),
            messages_in_flight=in_flight,
            findings=findings,
        )

    def _read_uploads(self, records: Records, progress: Progress) -> None:
        # A play of an earlier upload ended too early to be compared.
        recent = [
            upload
            for upload in self._uploads
            if self._start is None or upload.uploaded_at + MARGIN_OF_CLOCKS >= self._start
        ]
        bar = progress.add_task("reading uploads", total=len(recent))
        for upload in recent:
            sink = records.sink(listener_of(upload.key), "extended-history", self._first_record)
            self._archive.read_upload(upload, sink)
            self._records += sink.count
            progress.advance(bar)

    def _read_answers(self, listener: str, records: Records, progress: Progress) -> list[Seen]:
        keys = self._keys[listener]
        bar = progress.add_task(f"reading answers of {listener}", total=len(keys))
        sink = records.sink(listener, "recently-played", self._first_record)
        answers = []
        for poll in self._archive.polls(keys, lambda: progress.advance(bar)):
            sink.add(poll.found.plays)
            answers.append(seen(poll))
        self._records += sink.count
        self._answers += len(keys)
        return answers

    @property
    def _first_record(self) -> datetime | None:
        return self._start and self._start - MARGIN

    def _lost_uploads(self, complete: Container[str]) -> list[Finding]:
        """Find uploads that are not loaded, nor replaced by a later upload of the same file.

        A play that only the replaced file holds is reported as missing.
        """
        replaced_at = {u.key: u.uploaded_at for u in self._uploads if u.origin in complete}
        lost = Examples(
            upload.key
            for upload in self._uploads
            if upload.origin not in complete
            and upload.uploaded_at > replaced_at.get(upload.key, NEVER)
            and (self._start is None or upload.uploaded_at >= self._start)
        )
        return lost.finding("uploads not loaded", None, "plays uploads says why; plays rebuild")

    def _unreadable(self) -> list[Finding]:
        return Examples(self._archive.unreadable).finding(
            "answers that cannot be read", None, "a newer release may read them"
        )

    def _dead_letters(self) -> list[Finding]:
        sqs = self._target.client("sqs")
        numbers = {
            pair.name: depth(sqs, pair.dead_letter_url).total
            for pair in queue_pairs(self._target.outputs)
            if pair.source_url
        }
        found = Examples(f"{number:,} of {name}" for name, number in numbers.items() if number)
        return found.finding("dead letters", None, "plays dlq list", sum(numbers.values()))


@contextmanager
def _counted(progress: Progress, name: str) -> Iterator[Callable[[], None]]:
    """Add a progress bar without a total; yield a function that counts one row."""
    bar, rows = progress.add_task(name, total=None), 0

    def advance() -> None:
        nonlocal rows
        rows += 1
        # A bar that is drawn for each row would take more time than the comparison.
        if rows % STEP_ROWS == 0:
            progress.update(bar, completed=rows)

    yield advance
    progress.update(bar, completed=rows, total=rows)
