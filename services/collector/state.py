"""What the collector remembers of a listener between ticks, and the table that holds it."""

from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from services.collector.window import Window
from shared.errors import SettingsError

FIRST_BLOCK = timedelta(minutes=1)
LONGEST_OWN_BLOCK = timedelta(hours=1)
LOGIN_RETRY = timedelta(hours=1)


class LoginRefusal(BaseModel):
    """Spotify called a grant dead. It may be mistaken, so the grant is tried again hourly."""

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    """Of the refresh token that was refused: another one is tried at once."""
    since: AwareDatetime
    tried_at: AwareDatetime


class ListenerState(BaseModel):
    """What the collector knows of one listener; the start value knows nothing."""

    model_config = ConfigDict(frozen=True)

    window: Window = Window()
    polled_at: AwareDatetime | None = None
    """When Spotify was last asked and answered."""
    blocked_until: AwareDatetime | None = None
    """Spotify wants no call before this instant."""
    needs_login: LoginRefusal | None = None
    consecutive_failures: int = 0
    """Ticks since the last answer that Spotify failed or refused."""

    def is_blocked(self, now: datetime) -> bool:
        """Whether Spotify must not be called yet."""
        return self.blocked_until is not None and now < self.blocked_until

    def awaits_login(self, fingerprint: str, now: datetime) -> bool:
        """Whether this refresh token was refused, and too recently to try it again."""
        refusal = self.needs_login
        return (
            refusal is not None
            and refusal.fingerprint == fingerprint
            and now < refusal.tried_at + LOGIN_RETRY
        )

    def failed(self) -> Self:
        """Spotify failed us, or refused."""
        return self.model_copy(update={"consecutive_failures": self.consecutive_failures + 1})

    def throttled(self, retry_after_s: int | None, now: datetime) -> Self:
        """Spotify wants no calls for a time; if it names none, a doubling one."""
        wait = (
            min(FIRST_BLOCK * 2 ** min(self.consecutive_failures, 10), LONGEST_OWN_BLOCK)
            if retry_after_s is None
            else timedelta(seconds=retry_after_s)
        )
        return self.failed().model_copy(update={"blocked_until": now + wait})

    def refused(self, fingerprint: str, now: datetime) -> Self:
        """Spotify called the grant dead."""
        before = self.needs_login
        since = before.since if before and before.fingerprint == fingerprint else now
        refusal = LoginRefusal(fingerprint=fingerprint, since=since, tried_at=now)
        return self.failed().model_copy(update={"needs_login": refusal})


class ListenerStates:
    """The table `listener-state`: one item per listener, its state as JSON in `state`.

    Two ticks of one listener at a time need no lock: the state that is saved last may lack plays
    that the other published, which are then published again, and the loader knows them.
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
            raise SettingsError(f"the state of listener {listener} cannot be read") from error

    def save(self, listener: str, state: ListenerState) -> None:
        """Replace a listener's state."""
        item = {"listener": {"S": listener}, "state": {"S": state.model_dump_json()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)
