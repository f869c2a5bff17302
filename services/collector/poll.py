"""One poll: ask Spotify, find new plays, archive the answer, publish the plays, store the state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.collector.credentials import AccessTokens, Credentials, CredentialStore
from services.collector.domain.batches import Batches
from services.collector.domain.window import Comparison, compare
from services.collector.metrics import measure_plays, measure_poll
from services.collector.state import ListenerState, ListenerStates
from shared.archive import Archive, poll_key
from shared.errors import (
    SpotifyAuthError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
    SpotifyTokenError,
)
from shared.models import OutageReport, Play, Report, iso
from shared.queues import Queue
from shared.spotify.api import SpotifyApi
from shared.spotify.rate_limits import AppState, SpotifyApps
from shared.spotify.wire import RecentlyPlayed
from shared.telemetry import logger

Status = Literal["polled", "blocked", "needs-login", "forbidden", "not-logged-in"]


class Outcome(BaseModel):
    """The result of a poll. `origin` and `batches` describe its messages, if Spotify answered."""

    model_config = ConfigDict(frozen=True)

    listener: str
    status: Status
    new: int = 0
    late: int = 0
    moved: int = 0
    origin: str | None = None
    batches: int = 0
    gap: bool = False
    """True if the poll opened a gap."""
    blocked_until: AwareDatetime | None = None
    reason: str | None = None
    """Spotify's reason, if it forbids the app or the account."""


@dataclass(frozen=True)
class _Start:
    """The inputs of a poll: `before` is the stored state; `credentials` is None before a login."""

    listener: str
    now: datetime
    before: ListenerState
    credentials: Credentials | None


class Collector:
    """Polls Spotify for the plays of each listener."""

    def __init__(
        self,
        *,
        spotify: SpotifyApi,
        credentials: CredentialStore,
        tokens: AccessTokens,
        states: ListenerStates,
        apps: SpotifyApps,
        archive: Archive,
        queue: Queue,
        clock: Callable[[], datetime],
    ) -> None:
        self._spotify = spotify
        self._credentials = credentials
        self._tokens = tokens
        self._states = states
        self._apps = apps
        self._archive = archive
        self._queue = queue
        self._clock = clock

    def poll(self, listener: str) -> Outcome:
        """Publish what a listener played since the last poll.

        Raises:
            SpotifyError: Spotify failed. The error is stored in the listener's state. The next poll
                publishes the plays that this one could not read.
        """
        now, before = self._clock(), self._states.load(listener)
        credentials = self._credentials.load(listener)
        start = _Start(listener, now, before, credentials)
        if credentials is None:
            logger.info("not logged in yet", extra={"listener": listener})
            gap = self._end_without_answer(start, before, "the listener is not logged in")
            return Outcome(listener=listener, status="not-logged-in", gap=gap)
        app = self._apps.load(credentials.client_id)
        if app.is_blocked(now):
            return self._blocked(start, before, app)
        if before.awaits_login(credentials.fingerprint, now):
            return self._needs_login(start, before)
        if before.awaits_permission(credentials.authorized_at, now):
            return self._forbidden(start, before)
        return self._call(start, credentials, app)

    def _call(self, start: _Start, credentials: Credentials, app: AppState) -> Outcome:
        """Ask Spotify, and store the answer or the refusal."""
        state, now = start.before, start.now
        try:
            answer = self._ask(start.listener, credentials)
        except SpotifyRateLimitError as error:
            # The wait counts from the refusal, which may come seconds after the poll began.
            app = self._apps.throttle(credentials.client_id, error.retry_after_s, self._clock())
            return self._blocked(start, state.failed("throttled", error, now), app)
        except SpotifyLoginError as error:
            logger.error("login refused by Spotify", extra={"error": str(error)})
            state = state.failed("login-refused", error, now)
            return self._needs_login(start, state.refused(credentials.fingerprint, now))
        except SpotifyError as error:
            # Two refused access tokens in a row need no human action: the next poll gets a new one.
            if isinstance(error, SpotifyAuthError) and not isinstance(error, SpotifyTokenError):
                logger.error("forbidden by Spotify", extra={"error": str(error)})
                return self._forbidden(start, state.failed("forbidden", error, now))
            self._end_without_answer(start, state.failed("failed", error, now), "Spotify fails")
            raise
        self._apps.answered(credentials.client_id, app)
        return self._store(start, answer)

    def _ask(self, listener: str, credentials: Credentials) -> RecentlyPlayed:
        try:
            return self._spotify.recently_played(self._tokens.get(listener, credentials))
        except SpotifyTokenError:
            # Spotify may have revoked a cached token before it expired.
            self._tokens.drop(listener)
            return self._spotify.recently_played(self._tokens.get(listener, credentials))

    def _store(self, start: _Start, answer: RecentlyPlayed) -> Outcome:
        """Archive the answer, publish its plays, then save the state.

        After a crash in between, the next poll repeats the steps, so nothing is lost.
        """
        found = compare(start.before.window, answer, start.now, start.before.outage)
        origin = poll_key(start.listener, start.now)
        if found.is_worth_keeping:
            self._archive.keep_poll(origin, answer.raw)
        batches = self._publish(start.listener, origin, found.report, found.plays)
        state = ListenerState(window=found.window, polled_at=start.now, outage=found.outage)
        if answer.hides_plays:
            facts = {"returned": answer.returned, "unreadable": len(answer.unreadable)}
            logger.warning("plays cannot be read", extra=facts)
            if not answer.plays:
                state = state.failed("failed", SpotifyError(_unreadable(answer)), start.now)
        self._states.save(start.listener, state)
        outcome = _polled(start, found, origin, batches)
        logger.info("polled", extra=outcome.model_dump(mode="json"))
        measure_poll(state, start.credentials, start.now, throttled=False, gap_opened=outcome.gap)
        measure_plays(found.report.new)
        return outcome

    def _publish(
        self, listener: str, origin: str, report: Report, plays: Sequence[Play] = ()
    ) -> int:
        """Publish plays and a report; return the number of messages."""
        batches = Batches(self._queue.publish_json, listener, "recently-played", origin)
        batches.add(plays)
        return batches.finish(lambda _: report)

    def _blocked(self, start: _Start, state: ListenerState, app: AppState) -> Outcome:
        until = app.blocked_until
        logger.warning("blocked by Spotify", extra={"until": until})
        reason = f"Spotify takes no calls until {until}"
        gap = self._end_without_answer(start, state, reason, throttled=True)
        return Outcome(listener=start.listener, status="blocked", blocked_until=until, gap=gap)

    def _needs_login(self, start: _Start, state: ListenerState) -> Outcome:
        logger.warning("waiting for a login", extra={"listener": start.listener})
        gap = self._end_without_answer(start, state, "Spotify refuses the login")
        return Outcome(listener=start.listener, status="needs-login", gap=gap)

    def _forbidden(self, start: _Start, state: ListenerState) -> Outcome:
        reason = state.last_error.message if state.last_error else None
        logger.warning("waiting for a permission", extra={"listener": start.listener})
        gap = self._end_without_answer(start, state, "Spotify forbids the app or the account")
        return Outcome(listener=start.listener, status="forbidden", reason=reason, gap=gap)

    def _end_without_answer(
        self, start: _Start, state: ListenerState, reason: str, *, throttled: bool = False
    ) -> bool:
        """End a poll without an answer: open a gap if plays may be missing, then store the state.

        Returns:
            True if a gap was opened.
        """
        outage = state.find_outage(start.now, reason)
        if outage is not None:
            # No answer is archived, so the gap's start forms the origin: a repeat has the same.
            origin = f"outages/{start.listener}/{iso(outage.started_at)}"
            self._publish(start.listener, origin, OutageReport(gap=outage))
            state = state.with_outage(outage)
        if state != start.before:
            self._states.save(start.listener, state)
        opened = outage is not None
        measure_poll(state, start.credentials, start.now, throttled=throttled, gap_opened=opened)
        return opened


def _unreadable(answer: RecentlyPlayed) -> str:
    return (
        f"Spotify shows {answer.returned} plays, and none can be read: its answers may have "
        "changed. Look for a newer release; the archive keeps the answers"
    )


def _polled(start: _Start, found: Comparison, origin: str, batches: int) -> Outcome:
    report = found.report
    is_open = report.gap is not None and not report.gap.is_closed
    return Outcome(
        listener=start.listener,
        status="polled",
        new=report.new,
        late=report.late,
        moved=report.moved,
        origin=origin,
        batches=batches,
        # A gap that an outage opened was already reported.
        gap=is_open and start.before.outage is None,
    )
