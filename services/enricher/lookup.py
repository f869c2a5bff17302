"""Look features up: first in the cache, then at each source in turn, within a time limit."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from services.enricher.cache.table import TrackCache
from services.enricher.chunks import chunks
from services.enricher.domain.findings import OFF_WAIT, Findings
from services.enricher.sources.source import (
    TRACKS_PER_CALL,
    Answer,
    FeatureSource,
    RequestRejectedError,
    SourceOffError,
)
from shared.errors import FeatureSourceError
from shared.models import has_usual_id
from shared.telemetry import logger

FAILURE_WAIT_S = 900
"""The retry delay of a source that failed without a Retry-After."""


class Lookup:
    """Looks up the features of tracks.

    After a failure, or an answer that the source is off, that source is not called for a while.
    """

    def __init__(
        self,
        cache: TrackCache,
        sources: Mapping[str, FeatureSource],
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache
        self._sources = dict(sources)
        self._now = now
        self._blocked_until: dict[str, datetime] = {}
        self._off_until: dict[str, datetime] = {}

    @property
    def blocked_until(self) -> datetime | None:
        """The earliest time at which a failed source may be called again; None if none failed."""
        return min(self._blocked_until.values(), default=None)

    def may_ask(self, since: datetime) -> bool:
        """True if some source has been available (not off, no retry delay) ever since `since`."""
        return any(
            not self._is_off(name, since) and not self._is_blocked(name, since)
            for name in self._sources
        )

    def find(self, tracks: Iterable[str], until: datetime, *, anew: bool = False) -> Findings:
        """Find the features of tracks. A failure of a source is part of the result.

        Args:
            tracks: Distinct track uris.
            until: No source is called after this instant. A call that has begun by then is
                finished.
            anew: True to ask the sources also for tracks whose features are known, or that are
                pending but not yet due.

        Raises:
            TrackCacheError: The cache cannot be read; no source was called.
        """
        wanted, started_at = list(tracks), self._now()
        findings = Findings(self._cache.read(wanted, started_at))
        known = findings.cached
        due = [t for t in wanted if anew or t not in known or known[t].is_due(started_at)]
        # No source knows an unusual id, and one of them can fail a whole call.
        findings.missing.update(track for track in due if not has_usual_id(track))
        remaining = [track for track in due if track not in findings.missing]
        for name in self._sources:
            for chunk in chunks(remaining, TRACKS_PER_CALL):
                self._ask(name, chunk, findings, started_at, until)
            remaining = [track for track in remaining if findings.is_open(track)]
        findings.settle(due, started_at)
        return findings

    def save(self, findings: Findings) -> None:
        """Write the new entries to the cache.

        Raises:
            TrackCacheError: The cache cannot be written.
        """
        self._cache.write(findings.entries)

    def _ask(
        self,
        name: str,
        tracks: Sequence[str],
        findings: Findings,
        started_at: datetime,
        until: datetime,
    ) -> None:
        """Ask one source, unless it is off; in its retry delay or after `until`, postpone tracks.

        Postponed tracks are added to the findings with the time to ask for them again.
        """
        if self._is_off(name, started_at):
            return
        if self._is_blocked(name, started_at):
            findings.add(tracks, Answer(), self._blocked_until[name])
        elif (now := self._now()) >= until:
            findings.add(tracks, Answer(), now)
        else:
            findings.asked.update(tracks)
            answer = self._sources[name].fetch(tracks)
            for part, partial in self._bisect(name, tracks, answer, until):
                findings.add(part, partial, self._retry_at(name, partial.failure))

    def _bisect(
        self, name: str, tracks: Sequence[str], answer: Answer, until: datetime
    ) -> Iterator[tuple[Sequence[str], Answer]]:
        """Bisect a rejected request until the bad track is found, and answer that it is missing.

        If both halves fail, the source itself is failing: stop. Without bisecting, one bad track
        would fail the request for the good ones each time.
        """
        if not _is_rejected(answer) or len(tracks) == 1 or self._now() >= until:
            yield tracks, answer
            return
        middle = len(tracks) // 2
        halves = tracks[:middle], tracks[middle:]
        answers = [self._sources[name].fetch(half) for half in halves]
        both_failed = all(half_answer.failure for half_answer in answers)
        for half, half_answer in zip(halves, answers, strict=True):
            if both_failed:
                yield half, half_answer
            elif _is_rejected(half_answer) and len(half) == 1:
                yield half, Answer(missing=frozenset(half))
            else:
                yield from self._bisect(name, half, half_answer, until)

    def _is_off(self, name: str, since: datetime) -> bool:
        off_until = self._off_until.get(name)
        return off_until is not None and off_until >= since

    def _is_blocked(self, name: str, since: datetime) -> bool:
        blocked_until = self._blocked_until.get(name)
        return blocked_until is not None and blocked_until >= since

    def _retry_at(self, name: str, failure: FeatureSourceError | None) -> datetime | None:
        """Store a source's failure and its retry delay; return when to ask for the tracks again.

        None if there is no failure, or if the source is off.
        """
        if failure is None:
            return None
        if isinstance(failure, SourceOffError):
            self._blocked_until.pop(name, None)
            self._off_until[name] = self._now() + OFF_WAIT
            logger.warning("feature source is off", extra={"source": name, "reason": str(failure)})
            return None
        wait_s = FAILURE_WAIT_S if failure.retry_after_s is None else failure.retry_after_s
        retry_at = self._now() + timedelta(seconds=wait_s)
        if not isinstance(failure, RequestRejectedError):
            self._blocked_until[name] = retry_at
        logger.warning(
            "feature source failed",
            extra={"source": name, "error": str(failure), "retry_after_s": wait_s},
        )
        return retry_at


def _is_rejected(answer: Answer) -> bool:
    return isinstance(answer.failure, RequestRejectedError)
