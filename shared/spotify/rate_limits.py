"""The rate limits of a Spotify app, shared by all functions that call Spotify.

Spotify counts the calls of an app, not those of a listener or a function, and calls during a rate
limit prolong it. So one table holds the limits, and every function reads it before a call
(docs/adr/0006-blocks-belong-to-the-app.md).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import SettingsError
from shared.models import BoundedInstant
from shared.spotify.api import LONGEST_WAIT_S

FIRST_WAIT = timedelta(minutes=1)
LONGEST_OWN_WAIT = timedelta(hours=1)
DOUBLINGS = 10
"""Most doublings of the wait: enough for the longest one, and too few to overflow."""

LIVE_CAPTURE_LEAD = timedelta(hours=1)
"""The time after a rate limit in which only polls may call, because a missed play is lost, while
other calls can wait."""

FORWARD = (
    "attribute_not_exists(blocked_until) OR blocked_until < :until OR blocked_until > :longest"
)
"""The condition for storing the end of a rate limit: it is later than the stored end, or the stored
end is damaged (see `LONGEST_BLOCK`)."""

LONGEST_BLOCK = timedelta(seconds=LONGEST_WAIT_S) + timedelta(days=1)
"""The longest rate limit, with a day for rounding and clocks. A record of a longer one is damaged
and is ignored, because it would stop all calls forever."""

FORBIDDEN_WAIT = timedelta(days=1)
"""The retry delay of a forbidden call: an app may get more permissions, and Spotify may have been
mistaken."""


class AppState(BaseModel):
    """The stored rate limit of one app; the fields are empty before the first 429."""

    model_config = ConfigDict(frozen=True)

    blocked_until: BoundedInstant | None = None
    """The end of the rate limit; kept until Spotify answers a call again."""
    refusals: int = Field(default=0, ge=0)
    """The number of 429s since Spotify last answered a call."""
    features_forbidden_at: BoundedInstant | None = None
    """The time of the last refusal of audio features."""

    def forbids_features(self, now: datetime) -> bool:
        """True if Spotify has refused the app audio features within the last day."""
        at = self.features_forbidden_at
        return at is not None and at <= now < at + FORBIDDEN_WAIT

    def is_blocked(self, now: datetime) -> bool:
        """True during a rate limit, in which no function may call Spotify."""
        return self.blocked_until is not None and now < self.blocked_until <= now + LONGEST_BLOCK

    def is_blocked_for_others(self, now: datetime) -> bool:
        """True during a rate limit and the hour after it, in which only polls may call Spotify."""
        return self.is_blocked(now) or self.is_blocked(now - LIVE_CAPTURE_LEAD)


class SpotifyApps:
    """The table `spotify-app`: one item per app, one attribute per field of `AppState`.

    Each change writes its own attributes only, so two functions do not undo each other's changes.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def load(self, client_id: str) -> AppState:
        """Read the state of an app; an empty one before the first 429.

        Raises:
            SettingsError: The item cannot be read. An empty state could lead to calls during a
                rate limit, so a person must delete the item.
        """
        found = self._dynamodb.get_item(
            TableName=self._table, Key=_key(client_id), ConsistentRead=True
        )
        return _state(client_id, found.get("Item", {}))

    def throttle(self, client_id: str, retry_after_s: int | None, now: datetime) -> AppState:
        """Store the rate limit that a 429 started.

        If the table cannot be written, this raises, and the next call may come too early.

        Args:
            client_id: The client id of the app.
            retry_after_s: The wait in seconds. If it is None, the wait doubles with each 429 in a
                row, from a minute to an hour.
            now: The time of the 429.

        Returns:
            The state of the app; a longer rate limit that was stored before is kept.
        """
        counted = self._change(client_id, "ADD refusals :one", {":one": {"N": "1"}})
        if retry_after_s is None:
            wait = _own_wait(counted.refusals)
        else:
            wait = timedelta(seconds=retry_after_s)
        ends_at = _next_second(now + wait)
        return (
            self._change_if(
                FORWARD,
                client_id,
                "SET blocked_until = :until",
                {":until": _instant(ends_at), ":longest": _instant(ends_at + LONGEST_BLOCK)},
            )
            or counted
        )

    def answered(self, client_id: str, seen: AppState) -> None:
        """Remove the stored rate limit after Spotify has answered a call.

        Args:
            client_id: The client id of the app.
            seen: The state before the call. A rate limit that another function stored later stays.
        """
        if seen.blocked_until is not None:
            self._change_if(
                "blocked_until = :seen",
                client_id,
                "REMOVE blocked_until, refusals",
                {":seen": _instant(seen.blocked_until)},
            )

    def forbid_features(self, client_id: str, now: datetime) -> None:
        """Store that Spotify forbids audio features to the app."""
        self._change(client_id, "SET features_forbidden_at = :now", {":now": _instant(now)})

    def spend(self, client_id: str, calls: int, now: datetime, budget: int) -> datetime | None:
        """Spend calls from the daily budget, if it has enough left.

        The budget starts anew each UTC day, but Spotify's quota covers the last 24 hours. So around
        midnight up to twice the budget can fall into those 24 hours.

        Args:
            client_id: The client id of the app.
            calls: The number of calls.
            now: The time; its day is in UTC.
            budget: The most calls per day by all functions together, without polls.

        Returns:
            None if the calls may be made; otherwise the start of the next day.
        """
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + timedelta(days=1)
        day = {":day": {"S": today.date().isoformat()}}
        # A clock may be ahead by some seconds; a later day than tomorrow is a damaged record.
        self._change_if(
            "attribute_not_exists(spent_on) OR spent_on < :day OR spent_on > :tomorrow",
            client_id,
            "SET spent_on = :day, spent = :none",
            {**day, ":tomorrow": {"S": tomorrow.date().isoformat()}, ":none": {"N": "0"}},
        )
        counts = {":calls": {"N": str(calls)}, ":most": {"N": str(budget - calls)}}
        may_call = self._change_if(
            "spent_on = :day AND spent <= :most", client_id, "ADD spent :calls", day | counts
        )
        return None if may_call else tomorrow

    def _change_if(
        self, condition: str, client_id: str, expression: str, values: Mapping[str, Any]
    ) -> AppState | None:
        """Update an app's item if `condition` holds; otherwise return None."""
        try:
            return self._change(client_id, expression, values, ConditionExpression=condition)
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return None

    def _change(
        self, client_id: str, expression: str, values: Mapping[str, Any], **condition: str
    ) -> AppState:
        found = self._dynamodb.update_item(
            TableName=self._table,
            Key=_key(client_id),
            UpdateExpression=expression,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",
            **condition,
        )
        return _state(client_id, found.get("Attributes", {}))


def fingerprint(client_id: str) -> str:
    """Return an identifier of an app that does not reveal its client id."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:16]


def _key(client_id: str) -> dict[str, dict[str, str]]:
    return {"app": {"S": fingerprint(client_id)}}


def _state(client_id: str, item: Mapping[str, Any]) -> AppState:
    try:
        return AppState.model_validate({name: next(iter(v.values())) for name, v in item.items()})
    except ValidationError as error:
        raise SettingsError(
            f"the state of Spotify app {fingerprint(client_id)} cannot be read: delete its item "
            "in the table spotify-app"
        ) from error


def _own_wait(refusals: int) -> timedelta:
    return min(FIRST_WAIT * (1 << min(refusals - 1, DOUBLINGS)), LONGEST_OWN_WAIT)


def _next_second(instant: datetime) -> datetime:
    """Round an instant up to a full second, because a late call does no harm."""
    return instant + timedelta(microseconds=-instant.microsecond % 1_000_000)


def _instant(instant: datetime) -> dict[str, str]:
    """Format an instant in UTC with a fixed length, so that the texts sort by time."""
    return {"S": instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
