"""The state of a listener between polls, and the DynamoDB table that holds it."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from services.collector.domain.gaps import IN_SIGHT
from services.collector.domain.window import Window
from shared.errors import SettingsError
from shared.models import BoundedInstant, Gap

RETRY = timedelta(hours=1)
"""The retry delay after a refusal that needs a person; Spotify may be mistaken, so we retry."""

ErrorKind = Literal["throttled", "login-refused", "forbidden", "failed"]
"""Why a call failed.

`throttled` ends with time, `login-refused` with a new login, `forbidden` with a permission for
the app or the account, `failed` when Spotify works again.
"""


class LoginRefusal(BaseModel):
    """Spotify refused a refresh token. It may be mistaken, so the token is tried again hourly."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    """The fingerprint of the refused refresh token; a different token is tried at once."""
    since: BoundedInstant
    tried_at: BoundedInstant


class LastError(BaseModel):
    """Why the last call to Spotify failed."""

    model_config = ConfigDict(frozen=True)

    kind: ErrorKind
    message: str
    """For a person; never holds a token."""
    at: BoundedInstant


class ListenerState(BaseModel):
    """What the collector stores about one listener; the fields are empty before the first poll.

    Rate limits belong to the app, not to a listener: see `shared/spotify/rate_limits.py`.
    """

    model_config = ConfigDict(frozen=True)

    window: Window = Window()
    polled_at: BoundedInstant | None = None
    """The time of the last answer."""
    needs_login: LoginRefusal | None = None
    last_error: LastError | None = None
    """None after an answer."""
    outage: Gap | None = None
    """The open gap that was reported because Spotify gave no answer."""

    def is_refused(self, fingerprint: str) -> bool:
        """True if Spotify refused this refresh token."""
        return self.needs_login is not None and self.needs_login.fingerprint == fingerprint

    def awaits_login(self, fingerprint: str, now: datetime) -> bool:
        """True if this refresh token was refused within the last `RETRY`."""
        refusal = self.needs_login
        return (
            refusal is not None
            and self.is_refused(fingerprint)
            # A time in the future comes from a damaged record or a wrong clock.
            and refusal.tried_at <= now < refusal.tried_at + RETRY
        )

    def is_forbidden(self, authorized_at: datetime) -> bool:
        """True if Spotify last forbade the app or the account, and no login followed."""
        error = self.last_error
        return error is not None and error.kind == "forbidden" and authorized_at <= error.at

    def awaits_permission(self, authorized_at: datetime, now: datetime) -> bool:
        """True if the app or the account was forbidden within the last `RETRY`."""
        error = self.last_error
        return (
            error is not None
            and self.is_forbidden(authorized_at)
            and error.at <= now < error.at + RETRY
        )

    def failed(self, kind: ErrorKind, error: Exception, now: datetime) -> Self:
        """Return a copy of the state with this failure or refusal as its last error."""
        last_error = LastError(kind=kind, message=str(error), at=now)
        return self.model_copy(update={"last_error": last_error})

    def refused(self, fingerprint: str, now: datetime) -> Self:
        """Return a copy of the state with the refusal of this refresh token."""
        before = self.needs_login
        since = before.since if before and before.fingerprint == fingerprint else now
        refusal = LoginRefusal(fingerprint=fingerprint, since=since, tried_at=now)
        return self.model_copy(update={"needs_login": refusal})

    def find_outage(self, now: datetime, reason: str) -> Gap | None:
        """Return a gap if the last answer is so old that Spotify may no longer show some plays.

        An outage opens one gap. Before the first answer it opens none, because nothing says when
        listening began.
        """
        since = self.window.covered_until or self.window.watched_since
        if self.outage or since is None or self.polled_at is None:
            return None
        return Gap(started_at=since, reason=reason) if now - self.polled_at > IN_SIGHT else None

    def with_outage(self, outage: Gap) -> Self:
        """Return a copy of the state with `outage` as its reported open gap."""
        return self.model_copy(update={"outage": outage})


class ListenerStates:
    """The table `listener-state`: one item per listener, its state as JSON in `state`.

    Concurrent polls of one listener need no lock. The state that is saved last may lack plays that
    the other poll published: they are published again, and the loader ignores duplicates. It may
    also lack an outage, whose gap then stays open until an export covers it.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def load(self, listener: str) -> ListenerState:
        """Read a listener's state; an empty one before the first poll.

        Raises:
            SettingsError: The item cannot be read. An empty state could hide a gap, so a person
                must delete the item.
        """
        found = self._dynamodb.get_item(
            TableName=self._table, Key={"listener": {"S": listener}}, ConsistentRead=True
        )
        if "Item" not in found:
            return ListenerState()
        try:
            return ListenerState.model_validate_json(found["Item"]["state"]["S"])
        except (KeyError, ValidationError) as error:
            raise SettingsError(
                f"the state of listener {listener} cannot be read: delete its item in the table "
                "listener-state. The next poll then starts anew, and cannot report a gap before it"
            ) from error

    def save(self, listener: str, state: ListenerState) -> None:
        """Replace a listener's state."""
        item = {"listener": {"S": listener}, "state": {"S": state.model_dump_json()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)

    def delete(self, listener: str) -> None:
        """Delete the state of a listener who is removed."""
        self._dynamodb.delete_item(TableName=self._table, Key={"listener": {"S": listener}})
