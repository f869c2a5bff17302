"""Sends the archive through the queues again: uploads, answers of Spotify, and gaps."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial

from cli.archive_reader import ArchiveReader, Poll, since
from cli.output import Document, Instant, count_progress, note
from cli.target import Target
from cli.verification.gaps import Seen, known_polls, seen
from cli.verification.poll_checks import PollChecks, complete_uploads, covered_by_uploads
from cli.waiting import Waiting, messages_in_queues
from services.collector.backfill.s3_event import Upload, event_of
from services.collector.domain.batches import Batches
from shared.models import OutageReport, iso
from shared.queries import Reader
from shared.queues import Queue

SENDERS = 8
"""Messages that are sent at once."""
SENT_TOGETHER = 200
"""Answers in memory at once."""
QUIET_CHECKS = 3
"""A message that moves between two queues is briefly in none, and the counts are estimates."""


class Rebuild(Document):
    """What was sent, or would be sent by a dry run."""

    listeners: list[str]
    since: Instant | None
    uploads: int
    upload_bytes: int
    answers: int
    gaps: int
    """Gaps that were opened or closed although no answer brought them; 0 in a dry run."""
    dry_run: bool
    loaded: bool
    """True if all of it is in Postgres; only `--wait` finds out."""


class Rebuilder:
    """Sends the archive of some listeners to the queues: all, or only what is since `start`."""

    def __init__(self, target: Target, listeners: Sequence[str], start: datetime | None) -> None:
        self._target = target
        self._listeners = listeners
        self._start = start
        self._archive = ArchiveReader(target, listeners)
        self._sqs = target.client("sqs")
        self._uploads = [
            upload
            for upload in self._archive.uploads()
            if start is None or upload.uploaded_at >= start
        ]
        self._answers = {listener: self._archive.answers(listener) for listener in listeners}

    def count(self, gaps: int = 0, *, dry_run: bool = True) -> Rebuild:
        """Return the number of uploads, answers and gaps to send."""
        return Rebuild(
            listeners=list(self._listeners),
            since=self._start,
            uploads=len(self._uploads),
            upload_bytes=sum(upload.size for upload in self._uploads),
            answers=sum(len(since(keys, self._start)) for keys in self._answers.values()),
            gaps=gaps,
            dry_run=dry_run,
            loaded=False,
        )

    def send(self) -> Rebuild:
        """Send uploads, answers and gaps, with progress bars; on return SQS has stored them."""
        gaps = 0
        with count_progress() as progress, ThreadPoolExecutor(SENDERS) as pool:
            bar = progress.add_task("sending uploads", total=len(self._uploads))
            for _ in pool.map(self._send_upload, self._uploads):
                progress.advance(bar)
            for listener, keys in self._answers.items():
                bar = progress.add_task(f"sending answers of {listener}", total=len(keys))
                advance = partial(progress.advance, bar)
                answers = self._send_answers(listener, keys, pool, advance)
                gaps += self._send_gaps(listener, answers)
        for key in self._archive.unreadable:
            note(f"{key} is no answer that this release can read: it is not sent")
        return self.count(gaps, dry_run=False)

    def wait(self, waiting: Waiting) -> None:
        """Wait until the queues are empty, and every upload and answer sent is in Postgres.

        Raises:
            UnfinishedError: The wait timed out, or messages became dead letters.
        """
        waiting.begin()
        uploads = {upload.origin for upload in self._uploads}
        answers = [key for keys in self._answers.values() for key in since(keys, self._start)]
        wanted = set(answers) - set(self._archive.unreadable)
        quiet_checks = 0

        def fetch(database: Reader) -> bool | None:
            nonlocal quiet_checks
            quiet_checks = 0 if messages_in_queues(self._target) else quiet_checks + 1
            if quiet_checks < QUIET_CHECKS or not uploads <= set(complete_uploads(database)):
                return None
            return wanted <= known_polls(database, answers) or None

        with count_progress() as progress:
            progress.add_task("loading", total=None)
            waiting.wait_for(fetch, "the archive")

    def _send_upload(self, upload: Upload) -> None:
        event = event_of(upload, self._target.output("ArchiveBucket"))
        self._queue("UploadedFiles").publish_json(event)

    def _send_answers(
        self,
        listener: str,
        keys: Sequence[str],
        pool: ThreadPoolExecutor,
        on_read: Callable[[], object],
    ) -> list[Seen]:
        """Send the answers since `start`; read and return all, because gaps depend on all."""
        known: list[Seen] = []
        waiting: list[Poll] = []

        def send(poll: Poll) -> None:
            report = poll.found.report
            batches = self._batches(listener, poll.origin)
            batches.add(poll.found.plays)
            batches.finish(lambda _: report)

        for poll in self._archive.polls(keys, on_read):
            known.append(seen(poll))
            if self._start is None or known[-1].polled_at >= self._start:
                waiting.append(poll)
            if len(waiting) == SENT_TOGETHER:
                list(pool.map(send, waiting))
                waiting.clear()
        list(pool.map(send, waiting))
        return known

    def _send_gaps(self, listener: str, answers: Sequence[Seen]) -> int:
        """Report gaps that Postgres lacks, or that it holds open although the answers cover them.

        Answers that are sent again do not mend these gaps, because the loader ignores the gaps of
        polls that are in Postgres already. Return the number of reports.

        """
        with self._target.database() as database:
            uploads = covered_by_uploads(complete_uploads(database), listener)
            checks = PollChecks(self._target, database, listener, self._start)
            found, _ = checks.compare(answers, uploads)
        sent = set(since((each.origin for each in found.unknown), self._start))
        carried = {gap.started_at for each in answers if each.origin in sent for gap in each.gaps}
        gaps = [*(gap for gap in found.missing if gap.started_at not in carried), *found.closable]
        for gap in gaps:
            batches = self._batches(listener, f"rebuild/{listener}/{iso(gap.started_at)}")
            batches.finish(lambda _, gap=gap: OutageReport(gap=gap))  # type: ignore[misc]  # binds gap now
        return len(gaps)

    def _batches(self, listener: str, origin: str) -> Batches:
        publish = self._queue("CollectedPlays").publish_json
        return Batches(publish, listener, "recently-played", origin)

    def _queue(self, name: str) -> Queue:
        return Queue(self._sqs, self._target.output(f"{name}QueueUrl"))
