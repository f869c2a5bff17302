"""Format instants for people: in this machine's time zone, with the zone's name."""

from datetime import UTC, datetime, timedelta

_NOW_S = 60
_HOURS_UNTIL_DAYS = 48


def local(instant: datetime) -> str:
    """Return an instant in this machine's time zone, such as `2026-11-30 16:03 CET`."""
    return f"{instant.astimezone():%Y-%m-%d %H:%M %Z}"


def ago(instant: datetime, now: datetime | None = None) -> str:
    """Return how long ago an instant was, such as `3 min ago`."""
    seconds = ((now or datetime.now(UTC)) - instant).total_seconds()
    return "just now" if seconds < _NOW_S else f"{length(seconds)} ago"


def length(seconds: float) -> str:
    """Return a length of time in its largest fitting unit, such as `90 s`, `3 min` or `5 days`."""
    span = timedelta(seconds=seconds)
    if span < timedelta(minutes=2):
        return f"{span.total_seconds():.0f} s"
    if span < timedelta(hours=2):
        return f"{span // timedelta(minutes=1)} min"
    if span < timedelta(hours=_HOURS_UNTIL_DAYS):
        return f"{span // timedelta(hours=1)} h"
    return f"{span // timedelta(days=1)} days"
