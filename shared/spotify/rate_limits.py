"""What Spotify's limits say of an app, shared by all that call Spotify as it.

Spotify counts the calls of an app, not those of a listener or a function, and calls during a ban
prolong it. So one table holds the blocks, and whoever is about to call looks there first
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
"""More of them than it takes to the longest wait, and few enough to be counted with."""

LIVE_CAPTURE_LEAD = timedelta(hours=1)
"""For how long after a block live capture alone may call: a play that is missed is gone, while
everything else can be asked for later."""

FORWARD = (
    "attribute_not_exists(blocked_until) OR blocked_until < :until OR blocked_until > :longest"
)
"""A block only ever moves forward, unless it ends later than any can."""

LONGEST_BLOCK = timedelta(seconds=LONGEST_WAIT_S) + timedelta(days=1)
"""No block can end later from now, with a day for rounding and clocks: such a record is damaged,
and would otherwise stop all calls for ever."""

FORBIDDEN_WAIT = timedelta(days=1)
"""The time after which a forbidden call is tried again, at the cost of one call: an app may be
granted more, and a refusal may have been a mistake of Spotify's."""


class AppState(BaseModel):
    """What is known of one app; the start value knows of no refusal."""

    model_config = ConfigDict(frozen=True)

    blocked_until: BoundedInstant | None = None
    """Spotify wants no call before this instant; stays until the app is answered again."""
    refusals: int = Field(default=0, ge=0)
    """429s in a row since the last answer."""
    features_forbidden_at: BoundedInstant | None = None
    """When Spotify last said that this app gets no audio features."""

    def forbids_features(self, now: datetime) -> bool:
        """True if Spotify has refused the app audio features within the last day."""
        at = self.features_forbidden_at
        return at is not None and at <= now < at + FORBIDDEN_WAIT

    def is_blocked(self, now: datetime) -> bool:
        """Whether live capture must not call yet."""
        return self.blocked_until is not None and now < self.blocked_until <= now + LONGEST_BLOCK

    def is_blocked_for_others(self, now: datetime) -> bool:
        """Whether anything but live capture must not call yet: live capture goes first."""
        return self.is_blocked(now) or self.is_blocked(now - LIVE_CAPTURE_LEAD)


class SpotifyApps:
    """The table `spotify-app`: one item per app, an attribute for each field of its state.

    Each change touches its own attributes, so that two functions never undo each other's.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def load(self, client_id: str) -> AppState:
        """Read the state of an app; the start value if there is none.

        Raises:
            SettingsError: The item is not what this class wrote. To begin anew in silence could
                call Spotify during a ban; to delete the item says that this is wanted.
        """
        found = self._dynamodb.get_item(
            TableName=self._table, Key=_key(client_id), ConsistentRead=True
        )
        return _state(client_id, found.get("Item", {}))

    def throttle(self, client_id: str, retry_after_s: int | None, now: datetime) -> AppState:
        """Write down a 429.

        Args:
            client_id: The app's.
            retry_after_s: How long Spotify wants no calls; None, if it did not say, blocks for a
                time that doubles with each refusal, from a minute up to an hour.
            now: When the refusal came.

        Returns:
            The app's state; a longer block that was known already stays.
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
        """Forget the block and the refusals, if there are any: Spotify answered the app.

        Args:
            client_id: The app's.
            seen: Its state before the call. If it has changed since, somebody else was refused
                or answered meanwhile, and that stays.
        """
        if seen.blocked_until is not None:
            self._change_if(
                "blocked_until = :seen",
                client_id,
                "REMOVE blocked_until, refusals",
                {":seen": _instant(seen.blocked_until)},
            )

    def forbid_features(self, client_id: str, now: datetime) -> None:
        """Write down that the app gets no audio features."""
        self._change(client_id, "SET features_forbidden_at = :now", {":now": _instant(now)})

    def spend(self, client_id: str, calls: int, now: datetime, budget: int) -> datetime | None:
        """Count calls that can wait, if the day's budget for them still holds so many.

        Spotify's own quota rolls over 24 hours, so around midnight twice the budget can fall
        into it.

        Args:
            client_id: The app's.
            calls: How many are about to be made.
            now: Tells the day, in UTC.
            budget: How many such calls the app may make in a day, those of all functions together.

        Returns:
            None if the calls may be made; else when the next day begins.
        """
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        tomorrow = today + timedelta(days=1)
        day = {":day": {"S": today.date().isoformat()}}
        # A clock may be ahead by some seconds; a day after tomorrow is a damaged record.
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
        """Change an item under a condition; None if it does not hold."""
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
    """Name an app without telling its client id."""
    return hashlib.sha256(client_id.encode()).hexdigest()[:16]


def _key(client_id: str) -> dict[str, dict[str, str]]:
    return {"app": {"S": fingerprint(client_id)}}


def _state(client_id: str, item: Mapping[str, Any]) -> AppState:
    try:
        return AppState.model_validate({name: next(iter(v.values())) for name, v in item.items()})
    except ValidationError as error:
        raise SettingsError(
            f"the state of Spotify app {fingerprint(client_id)} cannot be read: delete it"
        ) from error


def _own_wait(refusals: int) -> timedelta:
    return min(FIRST_WAIT * (1 << min(refusals - 1, DOUBLINGS)), LONGEST_OWN_WAIT)


def _next_second(instant: datetime) -> datetime:
    """Round up: a call that comes too late does no harm."""
    return instant + timedelta(microseconds=-instant.microsecond % 1_000_000)


def _instant(instant: datetime) -> dict[str, str]:
    """Write an instant so that texts compare as instants do: UTC, and always as long."""
    return {"S": instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
