"""The time zone of this machine, for listeners that have none yet."""

import json
from collections.abc import Callable
from zoneinfo import ZoneInfoNotFoundError

from tzlocal import get_localzone_name

from infra.local.aws import LocalAws, client

REFRESH_S = 10
"""Seconds that a start spends on refreshing the derived tables; polls and the schedule do the
rest."""


def machine_zone() -> str | None:
    """Return the name of this machine's time zone; None if unset or configured contradictorily."""
    try:
        return get_localzone_name() or None
    except ZoneInfoNotFoundError:
        return None


def set_default(aws: LocalAws, function: str, zone: str | None, say: Callable[[str], None]) -> None:
    """Set a time zone for listeners without one, then refresh outdated months of derived tables.

    A failure is only reported, because new plays are stored nevertheless.

    Args:
        aws: The local AWS in which the function runs.
        function: The name of the Lambda function `derive`.
        zone: The time zone; None sets none, so these listeners stay at UTC.
        say: Receives a line if the function fails.
    """
    event = {"default_time_zone": zone, "seconds": REFRESH_S}
    answer = client("lambda", aws).invoke(FunctionName=function, Payload=json.dumps(event).encode())
    result = json.loads(answer["Payload"].read())
    if error := result.get("errorMessage") or result.get("error"):
        say(
            f"reports may use UTC or lack the newest plays ({error}): run `plays listener set` "
            "or `plays derive`"
        )
