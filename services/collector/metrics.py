"""The CloudWatch metrics of a poll; the alarms read them."""

from datetime import datetime, timedelta

from aws_lambda_powertools.metrics import MetricUnit

from services.collector.credentials import Credentials
from services.collector.state import ListenerState
from shared.telemetry import metrics


def measure_poll(
    state: ListenerState,
    credentials: Credentials | None,
    now: datetime,
    *,
    throttled: bool,
    gap_opened: bool,
) -> None:
    """Publish the metrics that every poll has, also one without an answer from Spotify.

    Args:
        state: The listener's state after the poll.
        credentials: The listener's login; None before the first one.
        now: When the poll began.
        throttled: True if the app is rate-limited.
        gap_opened: True if the poll opened a gap.
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
    """Publish the number of new plays in an answer."""
    metrics.add_metric(name="PlaysNew", unit=MetricUnit.Count, value=new)


def _days_left(state: ListenerState, credentials: Credentials, now: datetime) -> float:
    # A refused refresh token has no days left, whatever its age.
    return 0 if state.is_refused(credentials.fingerprint) else credentials.days_left(now)
