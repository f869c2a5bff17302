"""What the collector remembers of a listener between ticks, and the table that holds it."""

from datetime import datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from services.collector.domain.gaps import IN_SIGHT
from services.collector.domain.window import Window
from shared.errors import SettingsError
from shared.models import BoundedInstant, Gap

RETRY = timedelta(hours=1)
"""What only a person can mend is tried again after this time, for Spotify may be mistaken."""

ErrorKind = Literal["throttled", "login-refused", "forbidden", "failed"]
"""Wait; log in again; let the app or the account be allowed; wait for Spotify to mend itself."""


class LoginRefusal(BaseModel):
    """Spotify called a grant dead. It may be mistaken, so the grant is tried again hourly."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    """Of the refresh token that was refused: another one is tried at once."""
    since: BoundedInstant
    tried_at: BoundedInstant


class LastError(BaseModel):
    """What Spotify said instead of an answer, the last time that it was asked."""

    model_config = ConfigDict(frozen=True)

    kind: ErrorKind
    message: str
    """For a person; never holds a token."""
    at: BoundedInstant


class ListenerState(BaseModel):
    """What the collector knows of one listener; the start value knows nothing.

    Rate limits belong to the app, not to a listener: see `shared/spotify/rate_limits.py`.
    """

    model_config = ConfigDict(frozen=True)

    window: Window = Window()
    polled_at: BoundedInstant | None = None
    """When Spotify was last asked and answered."""
    needs_login: LoginRefusal | None = None
    last_error: LastError | None = None
    """None since the last answer."""
    outage: Gap | None = None
    """The gap that was told of while Spotify gave no answer, until an answer decides about it."""

    def is_refused(self, fingerprint: str) -> bool:
        """Whether Spotify called this refresh token dead."""
        return self.needs_login is not None and self.needs_login.fingerprint == fingerprint

    def awaits_login(self, fingerprint: str, now: datetime) -> bool:
        """Whether this refresh token was refused, and too recently to try it again."""
        refusal = self.needs_login
        return (
            refusal is not None
            and self.is_refused(fingerprint)
            # An instant in the future is a damaged record, or a clock was wrong.
            and refusal.tried_at <= now < refusal.tried_at + RETRY
        )

    def is_forbidden(self, authorized_at: datetime) -> bool:
        """Whether Spotify forbade the app or the account, last, and nobody logged in since."""
        error = self.last_error
        return error is not None and error.kind == "forbidden" and authorized_at <= error.at

    def awaits_permission(self, authorized_at: datetime, now: datetime) -> bool:
        """Whether it was forbidden too recently to try again."""
        error = self.last_error
        return (
            error is not None
            and self.is_forbidden(authorized_at)
            and error.at <= now < error.at + RETRY
        )

    def failed(self, kind: ErrorKind, error: Exception, now: datetime) -> Self:
        """Spotify failed us, or refused."""
        last_error = LastError(kind=kind, message=str(error), at=now)
        return self.model_copy(update={"last_error": last_error})

    def refused(self, fingerprint: str, now: datetime) -> Self:
        """Spotify called the grant dead."""
        before = self.needs_login
        since = before.since if before and before.fingerprint == fingerprint else now
        refusal = LoginRefusal(fingerprint=fingerprint, since=since, tried_at=now)
        return self.model_copy(update={"needs_login": refusal})

    def begin_outage(self, now: datetime, reason: str) -> Gap | None:
        """Open a gap, if Spotify gave no answer for so long that plays may be out of its sight.

        Only once for each time without answers. Where Spotify never answered, nothing says when
        listening began.
        """
        since = self.window.covered_until or self.window.watched_since
        if self.outage or since is None or self.polled_at is None:
            return None
        return Gap(started_at=since, reason=reason) if now - self.polled_at > IN_SIGHT else None

    def missing(self, outage: Gap) -> Self:
        """It was told that plays may be missed."""
        return self.model_copy(update={"outage": outage})


class ListenerStates:
    """The table `listener-state`: one item per listener, its state as JSON in `state`.

    Two ticks of one listener at a time need no lock: the state that is saved last may lack plays
    that the other published, which are then published again, and the loader knows them. It may
    lack an outage, too, whose gap then stays open until an export covers it.
    """

    def __init__(self, dynamodb: Any, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def load(self, listener: str) -> ListenerState:
        """Read a listener's state; the start value if there is none.

        Raises:
            SettingsError: The item is not what `save` wrote. To begin anew in silence could hide
                a gap; to delete the item says that this is wanted.
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
                "listener-state to begin anew; what was missed before is then not noticed"
            ) from error

    def save(self, listener: str, state: ListenerState) -> None:
        """Replace a listener's state."""
        item = {"listener": {"S": listener}, "state": {"S": state.model_dump_json()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)
