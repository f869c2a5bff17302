"""One tick of the live capture: ask Spotify, compare, keep, publish, remember."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.collector.credentials import AccessTokens, Credentials, CredentialStore
from services.collector.domain.batches import Batches
from services.collector.domain.window import Comparison, compare
from services.collector.metrics import measure_plays, measure_tick
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
    """What a tick came to. `origin` and `batches` name what was published, if it polled."""

    model_config = ConfigDict(frozen=True)

    listener: str
    status: Status
    new: int = 0
    late: int = 0
    moved: int = 0
    origin: str | None = None
    batches: int = 0
    gap: bool = False
    """Whether the tick found that plays may be missing, and nobody had told of it before."""
    blocked_until: AwareDatetime | None = None
    reason: str | None = None
    """Spotify's, if it forbids the app or the account."""


@dataclass(frozen=True)
class _Tick:
    """What a tick begins with."""

    listener: str
    now: datetime
    before: ListenerState
    credentials: Credentials | None


class Collector:
    """Live capture of the listeners' plays."""

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

    def collect(self, listener: str) -> Outcome:
        """Publish what a listener played since the last tick.

        Raises:
            SpotifyError: Spotify failed; it is remembered. The next tick sees the same plays.
        """
        now, before = self._clock(), self._states.load(listener)
        credentials = self._credentials.load(listener)
        tick = _Tick(listener, now, before, credentials)
        if credentials is None:
            logger.info("not logged in yet", extra={"listener": listener})
            gap = self._go_without(tick, before, "nobody is logged in")
            return Outcome(listener=listener, status="not-logged-in", gap=gap)
        app = self._apps.load(credentials.client_id)
        if app.is_blocked(now):
            return self._blocked(tick, before, app)
        if before.awaits_login(credentials.fingerprint, now):
            return self._needs_login(tick, before)
        if before.awaits_permission(credentials.authorized_at, now):
            return self._forbidden(tick, before)
        return self._poll(tick, credentials, app)

    def _poll(self, tick: _Tick, credentials: Credentials, app: AppState) -> Outcome:
        """Ask Spotify, and write down whatever it says."""
        state, now = tick.before, tick.now
        try:
            answer = self._ask(tick.listener, credentials)
        except SpotifyRateLimitError as error:
            # The wait counts from the refusal, and that may come seconds after the tick began.
            app = self._apps.throttle(credentials.client_id, error.retry_after_s, self._clock())
            return self._blocked(tick, state.failed("throttled", error, now), app)
        except SpotifyLoginError as error:
            logger.error("login refused by Spotify", extra={"error": str(error)})
            state = state.failed("login-refused", error, now)
            return self._needs_login(tick, state.refused(credentials.fingerprint, now))
        except SpotifyError as error:
            # Of tokens that are refused one after the other no person could mend anything.
            if isinstance(error, SpotifyAuthError) and not isinstance(error, SpotifyTokenError):
                logger.error("forbidden by Spotify", extra={"error": str(error)})
                return self._forbidden(tick, state.failed("forbidden", error, now))
            self._go_without(tick, state.failed("failed", error, now), "Spotify fails")
            raise
        self._apps.answered(credentials.client_id, app)
        return self._keep(tick, answer)

    def _ask(self, listener: str, credentials: Credentials) -> RecentlyPlayed:
        try:
            return self._spotify.recently_played(self._tokens.get(listener, credentials))
        except SpotifyTokenError:
            # A kept token may have died before its time; a fresh one must do.
            self._tokens.drop(listener)
            return self._spotify.recently_played(self._tokens.get(listener, credentials))

    def _keep(self, tick: _Tick, answer: RecentlyPlayed) -> Outcome:
        """Archive, publish, then remember: what breaks in between is done again, never lost."""
        found = compare(tick.before.window, answer, tick.now, tick.before.outage)
        origin = poll_key(tick.listener, tick.now)
        if found.is_worth_keeping:
            self._archive.keep_poll(origin, answer.raw)
        batches = self._publish(tick.listener, origin, found.report, found.plays)
        state = ListenerState(window=found.window, polled_at=tick.now, outage=found.outage)
        if answer.hides_plays:
            facts = {"returned": answer.returned, "unreadable": len(answer.unreadable)}
            logger.warning("plays cannot be read", extra=facts)
            if not answer.plays:
                state = state.failed("failed", SpotifyError(_unreadable(answer)), tick.now)
        self._states.save(tick.listener, state)
        outcome = _polled(tick, found, origin, batches)
        logger.info("polled", extra=outcome.model_dump(mode="json"))
        measure_tick(state, tick.credentials, tick.now, throttled=False, gap_opened=outcome.gap)
        measure_plays(found.report.new)
        return outcome

    def _publish(
        self, listener: str, origin: str, report: Report, plays: Sequence[Play] = ()
    ) -> int:
        """Publish plays and a report; return the number of messages."""
        batches = Batches(self._queue.publish_json, listener, "recently-played", origin)
        batches.add(plays)
        return batches.finish(lambda _: report)

    def _blocked(self, tick: _Tick, state: ListenerState, app: AppState) -> Outcome:
        until = app.blocked_until
        logger.warning("blocked by Spotify", extra={"until": until})
        reason = f"Spotify takes no calls until {until}"
        gap = self._go_without(tick, state, reason, throttled=True)
        return Outcome(listener=tick.listener, status="blocked", blocked_until=until, gap=gap)

    def _needs_login(self, tick: _Tick, state: ListenerState) -> Outcome:
        logger.warning("waiting for a login", extra={"listener": tick.listener})
        gap = self._go_without(tick, state, "Spotify refuses the login")
        return Outcome(listener=tick.listener, status="needs-login", gap=gap)

    def _forbidden(self, tick: _Tick, state: ListenerState) -> Outcome:
        reason = state.last_error.message if state.last_error else None
        logger.warning("waiting for a permission", extra={"listener": tick.listener})
        gap = self._go_without(tick, state, "Spotify forbids the app or the account")
        return Outcome(listener=tick.listener, status="forbidden", reason=reason, gap=gap)

    def _go_without(
        self, tick: _Tick, state: ListenerState, reason: str, *, throttled: bool = False
    ) -> bool:
        """End a tick that got no answer: tell once that plays may be missed, then remember.

        Returns:
            Whether a gap was opened.
        """
        outage = state.begin_outage(tick.now, reason)
        if outage is not None:
            # No answer, so no object in the archive; the same gap has the same origin.
            origin = f"outages/{tick.listener}/{iso(outage.started_at)}"
            self._publish(tick.listener, origin, OutageReport(gap=outage))
            state = state.missing(outage)
        if state != tick.before:
            self._states.save(tick.listener, state)
        opened = outage is not None
        measure_tick(state, tick.credentials, tick.now, throttled=throttled, gap_opened=opened)
        return opened


def _unreadable(answer: RecentlyPlayed) -> str:
    return (
        f"Spotify shows {answer.returned} plays, of which none can be read: its answers may have "
        "changed, so look for a newer release; the archive keeps them as they came"
    )


def _polled(tick: _Tick, found: Comparison, origin: str, batches: int) -> Outcome:
    report = found.report
    is_open = report.gap is not None and not report.gap.is_closed
    return Outcome(
        listener=tick.listener,
        status="polled",
        new=report.new,
        late=report.late,
        moved=report.moved,
        origin=origin,
        batches=batches,
        # What an outage opened has been told already.
        gap=is_open and tick.before.outage is None,
    )
