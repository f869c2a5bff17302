"""One tick of the live capture: ask Spotify, compare, keep, publish, remember."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from aws_lambda_powertools.metrics import MetricUnit
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.collector.credentials import AccessTokens, Credentials, CredentialStore
from services.collector.poll_batches import poll_batches
from services.collector.state import ListenerState, ListenerStates
from services.collector.window import Comparison, Window, compare
from shared.archive import Archive, poll_key
from shared.errors import (
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
    SpotifyTokenError,
)
from shared.models import PollReport
from shared.queues import Queue
from shared.spotify import SpotifyApi
from shared.spotify_wire import RecentlyPlayed
from shared.telemetry import logger, metrics


class Outcome(BaseModel):
    """What a tick came to. `origin` and `batches` name what was published, if it polled."""

    model_config = ConfigDict(frozen=True)

    listener: str
    status: Literal["polled", "blocked", "needs-login", "not-logged-in"]
    new: int = 0
    late: int = 0
    moved: int = 0
    origin: str | None = None
    batches: int = 0
    gap: bool = False
    blocked_until: AwareDatetime | None = None


class Collector:
    """Live capture of the listeners' plays."""

    def __init__(
        self,
        *,
        spotify: SpotifyApi,
        credentials: CredentialStore,
        tokens: AccessTokens,
        states: ListenerStates,
        archive: Archive,
        queue: Queue,
        clock: Callable[[], datetime],
    ) -> None:
        self._spotify = spotify
        self._credentials = credentials
        self._tokens = tokens
        self._states = states
        self._archive = archive
        self._queue = queue
        self._clock = clock

    def collect(self, listener: str) -> Outcome:
        """Publish what a listener played since the last tick.

        Raises:
            SpotifyError: Spotify failed, or refused the app or the account; it is counted. The
                next tick sees the same plays.
        """
        state, now = self._states.load(listener), self._clock()
        if state.is_blocked(now):
            _measure(state.window, now, throttled=True)
            logger.info("blocked by Spotify", extra={"until": state.blocked_until})
            return _blocked(listener, state)
        credentials = self._credentials.load(listener)
        if credentials is None:
            _measure(state.window, now)
            logger.info("not logged in yet", extra={"listener": listener})
            return Outcome(listener=listener, status="not-logged-in")
        if state.awaits_login(credentials.fingerprint, now):
            return _needs_login(listener, state, now)
        return self._poll(listener, state, credentials, now)

    def _poll(
        self, listener: str, state: ListenerState, credentials: Credentials, now: datetime
    ) -> Outcome:
        """Ask Spotify, and write down whatever it says."""
        try:
            answer = self._ask(listener, credentials)
        except SpotifyRateLimitError as error:
            state = state.throttled(error.retry_after_s, now)
            self._states.save(listener, state)
            _measure(state.window, now, credentials, throttled=True)
            logger.warning("rate limited by Spotify", extra={"until": state.blocked_until})
            return _blocked(listener, state)
        except SpotifyLoginError as error:
            state = state.refused(credentials.fingerprint, now)
            self._states.save(listener, state)
            logger.error("login refused by Spotify", extra={"error": str(error)})
            return _needs_login(listener, state, now)
        except SpotifyError:
            self._states.save(listener, state.failed())
            _measure(state.window, now, credentials)
            raise
        found = compare(state.window, answer, now)
        outcome = self._keep(listener, found, answer.raw)
        _measure(found.window, now, credentials)
        _measure_plays(found.report)
        return outcome

    def _ask(self, listener: str, credentials: Credentials) -> RecentlyPlayed:
        try:
            return self._spotify.recently_played(self._tokens.get(listener, credentials))
        except SpotifyTokenError:
            # A kept token may have died before its time; a fresh one must do.
            self._tokens.drop(listener)
            return self._spotify.recently_played(self._tokens.get(listener, credentials))

    def _keep(self, listener: str, found: Comparison, raw: bytes) -> Outcome:
        """Archive, publish, then remember: what breaks in between is done again, never lost."""
        now = found.report.polled_at
        origin = poll_key(listener, now)
        if found.is_worth_keeping:
            self._archive.keep_poll(origin, raw)
        batches = poll_batches(listener, origin, found.plays, found.report)
        for batch in batches:
            self._queue.publish(batch)
        self._states.save(listener, ListenerState(window=found.window, polled_at=now))
        outcome = _polled(listener, found.report, origin, len(batches))
        logger.info("polled", extra=outcome.model_dump(mode="json"))
        return outcome


def _polled(listener: str, report: PollReport, origin: str, batches: int) -> Outcome:
    return Outcome(
        listener=listener,
        status="polled",
        new=report.new,
        late=report.late,
        moved=report.moved,
        origin=origin,
        batches=batches,
        gap=report.gap is not None,
    )


def _blocked(listener: str, state: ListenerState) -> Outcome:
    return Outcome(listener=listener, status="blocked", blocked_until=state.blocked_until)


def _needs_login(listener: str, state: ListenerState, now: datetime) -> Outcome:
    _measure(state.window, now)
    # A dead grant has no days left, whatever its age.
    metrics.add_metric(name="TokenDaysLeft", unit=MetricUnit.NoUnit, value=0)
    logger.warning("waiting for a login", extra={"listener": listener})
    return Outcome(listener=listener, status="needs-login")


def _measure(
    window: Window,
    now: datetime,
    credentials: Credentials | None = None,
    *,
    throttled: bool = False,
) -> None:
    """Publish what every tick can tell; throttled ones are those that may not call Spotify."""
    metrics.add_metric(name="SpotifyThrottled", unit=MetricUnit.Count, value=int(throttled))
    newest = window.newest(now)
    if newest is not None:
        hours = (now - newest) / timedelta(hours=1)
        metrics.add_metric(name="HoursSinceLastPlay", unit=MetricUnit.NoUnit, value=hours)
    if credentials is not None:
        days = credentials.days_left(now)
        metrics.add_metric(name="TokenDaysLeft", unit=MetricUnit.NoUnit, value=days)


def _measure_plays(report: PollReport) -> None:
    metrics.add_metric(name="PlaysNew", unit=MetricUnit.Count, value=report.new)
    metrics.add_metric(name="GapDetected", unit=MetricUnit.Count, value=int(report.gap is not None))
