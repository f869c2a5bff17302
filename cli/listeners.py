"""The state of each listener's polls: the login, rate limits, the last error."""

from datetime import datetime
from functools import cached_property

from cli.errors import CommandError
from cli.output import Document, Instant
from cli.target import Target
from services.collector.credentials import Credentials, CredentialStore
from services.collector.state import ErrorKind, ListenerState, ListenerStates
from shared.errors import SettingsError
from shared.spotify.rate_limits import AppState, SpotifyApps


class Trouble(Document):
    """The error of the last poll, if that failed."""

    kind: ErrorKind
    message: str
    at: Instant


class PollingState(Document):
    """The state of one listener's polls; None means unknown or not applicable."""

    token_days_left: int | None
    """Whole days until the login expires; None without a login."""
    blocked_until: Instant | None
    """End of the rate limit of the listener's app; None without one."""
    block_unknown: str | None
    """Why `blocked_until` is unknown; None if it is known."""
    needs_login_since: Instant | None
    """When Spotify first refused the current login."""
    answered_at: Instant | None
    """When Spotify last answered a poll."""
    last_error: Trouble | None
    """Why the last poll failed; None after a later answer or login."""


class Listeners:
    """The listeners of a deployment, and the stored state of their polls."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._prefix = target.output("ListenerSecretPrefix")
        self._secrets = target.client("secretsmanager")
        self._store = CredentialStore(self._secrets, self._prefix)
        dynamodb = target.client("dynamodb")
        self._states = ListenerStates(dynamodb, target.output("ListenerStateTable"))
        self._apps = SpotifyApps(dynamodb, target.output("SpotifyAppTable"))

    def polling_states(self, now: datetime) -> dict[str, PollingState]:
        """Return the state of each listener's polls, sorted by name."""
        return {
            listener: self._polling_state(self._login(listener), self._state(listener, now), now)
            for listener in self.names
        }

    def require(self, listener: str) -> None:
        """Check that a listener is deployed.

        Raises:
            CommandError: The listener is not; the message names the deployed ones.
        """
        if listener not in self.names:
            raise CommandError(
                f"there is no listener {listener}: use {' or '.join(self.names)}, "
                f"or add this one with `plays listener add {listener}`"
            )

    def clear_refusals(self) -> None:
        """Clear rate limits, refused logins and errors, so that the next polls call Spotify.

        Use it with the simulated Spotify only: the real one extends a rate limit that is ignored.

        Raises:
            SettingsError: The stored state cannot be read.
        """
        for listener in self.names:
            if login := self._login(listener):
                self._apps.answered(login.client_id, self._apps.load(login.client_id))
            state = self._states.load(listener)
            if state.needs_login or state.last_error:
                cleared = state.model_copy(update={"needs_login": None, "last_error": None})
                self._states.save(listener, cleared)

    @cached_property
    def names(self) -> list[str]:
        """The deployed listeners, sorted."""
        function = self._target.client("lambda").get_function_configuration(
            FunctionName=self._target.output("DeriveFunction")
        )
        names: str = function["Environment"]["Variables"]["LISTENERS"]
        return sorted(names.split(","))

    @cached_property
    def removed(self) -> list[str]:
        """The listeners who are no longer deployed, but whose login secret still exists, sorted.

        A deployment without the listener keeps the secret; `plays listener remove` deletes it last.
        """
        pages = self._secrets.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [self._prefix]}]
        )
        secrets = [secret["Name"] for page in pages for secret in page["SecretList"]]
        return sorted({name.removeprefix(self._prefix) for name in secrets} - {*self.names})

    def remove(self, listener: str) -> None:
        """Delete the state of a listener's polls, then the secret with the login."""
        self._states.delete(listener)
        # Without a recovery window, which would block the name for a listener who is added again.
        self._secrets.delete_secret(
            SecretId=f"{self._prefix}{listener}", ForceDeleteWithoutRecovery=True
        )

    def _login(self, listener: str) -> Credentials | None:
        try:
            return self._store.load(listener)
        except SettingsError:
            # A poll that fails on this login raises an alarm; show the rest here.
            return None

    def _state(self, listener: str, now: datetime) -> ListenerState:
        try:
            return self._states.load(listener)
        except SettingsError as error:
            return ListenerState().failed("failed", error, now)

    def _polling_state(
        self, login: Credentials | None, state: ListenerState, now: datetime
    ) -> PollingState:
        app, unknown = self._app(login)
        refusal = state.needs_login
        return PollingState(
            token_days_left=int(login.days_left(now)) if login else None,
            blocked_until=app.blocked_until if app.is_blocked(now) else None,
            block_unknown=unknown,
            # The refusal may belong to an earlier login.
            needs_login_since=(
                refusal.since if refusal and login and state.is_refused(login.fingerprint) else None
            ),
            answered_at=state.polled_at,
            last_error=_trouble(login, state),
        )

    def _app(self, login: Credentials | None) -> tuple[AppState, str | None]:
        """Return a Spotify app's rate-limit state; if unreadable, an empty state and the reason."""
        try:
            return self._apps.load(login.client_id) if login else AppState(), None
        except SettingsError as error:
            return AppState(), str(error)


def _trouble(login: Credentials | None, state: ListenerState) -> Trouble | None:
    error = state.last_error
    if error is None or (login and error.at < login.authorized_at):
        return None
    return Trouble(kind=error.kind, message=error.message, at=error.at)
