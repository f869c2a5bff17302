"""The collector's metrics: what each tick tells CloudWatch, and so the alarms."""

from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.collector.credentials import Credentials
from services.collector.state import ListenerState
from shared.telemetry import metrics


def measure_tick(
    state: ListenerState,
    credentials: Credentials | None,
    now: datetime,
    *,
    throttled: bool,
    gap_opened: bool,
) -> None:
    """Publish what every tick can tell.

    Args:
        state: The listener's, as the tick leaves it.
        credentials: The listener's; None before the first login.
        now: When the tick began.
        throttled: Whether Spotify takes no calls.
        gap_opened: Whether the tick told of a gap that was not told of before.
    """
    metrics.add_metric(name="SpotifyThrottled", unit=MetricUnit.Count, value=int(throttled))
    metrics.add_metric(name="GapDetected", unit=MetricUnit.Count, value=int(gap_opened))
    forbidden = credentials is not None and state.is_forbidden(credentials.authorized_at)
    metrics.add_metric(name="SpotifyForbids", unit=MetricUnit.Count, value=int(forbidden))
    newest = state.window.newest(now)
    if newest is not None:
        hours = (now - newest) / timedelta(hours=1)
        metrics.add_metric(name="HoursSinceLastPlay", unit=MetricUnit.NoUnit, value=hours)
    if credentials is not None:
        days = _days_left(state, credentials, now)
        metrics.add_metric(name="TokenDaysLeft", unit=MetricUnit.NoUnit, value=days)


def measure_plays(new: int) -> None:
    """Publish what an answer brought."""
    metrics.add_metric(name="PlaysNew", unit=MetricUnit.Count, value=new)


def _days_left(state: ListenerState, credentials: Credentials, now: datetime) -> float:
    # A dead grant has no days left, whatever its age.
    return 0 if state.is_refused(credentials.fingerprint) else credentials.days_left(now)
