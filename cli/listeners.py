"""What each listener's live capture waits for: a login, the end of a block, the next poll."""

from datetime import datetime

from cli.errors import CommandError
from cli.output import Document, Instant
from cli.target import Target
from services.collector.credentials import Credentials, CredentialStore
from services.collector.state import ErrorKind, ListenerState, ListenerStates
from shared.errors import SettingsError
from shared.spotify.rate_limits import AppState, SpotifyApps


class Trouble(Document):
    """What Spotify said instead of plays, when it was last asked."""

    kind: ErrorKind
    message: str
    at: Instant


class Capture(Document):
    """The live capture of one listener; None where it is unknown or does not apply."""

    token_days_left: int | None
    """How many days the login is good for; None without one."""
    blocked_until: Instant | None
    """When Spotify takes calls of the listener's app again; None while it does."""
    block_unknown: str | None
    """Why nobody can tell that; None where it can be told."""
    needs_login_since: Instant | None
    """When Spotify first refused the login."""
    answered_at: Instant | None
    """When Spotify last answered a poll."""
    last_error: Trouble | None
    """None since then, or since a login."""


class Listeners:
    """The listeners that a deployment made a secret for, and what is remembered of each."""

    def __init__(self, target: Target) -> None:
        self._prefix = target.output("ListenerSecretPrefix")
        self._secrets = target.client("secretsmanager")
        self._store = CredentialStore(self._secrets, self._prefix)
        dynamodb = target.client("dynamodb")
        self._states = ListenerStates(dynamodb, target.output("ListenerStateTable"))
        self._apps = SpotifyApps(dynamodb, target.output("SpotifyAppTable"))

    def captures(self, now: datetime) -> dict[str, Capture]:
        """Tell of the live capture of each, in the order of names."""
        return {
            listener: self._capture(self._login(listener), self._state(listener, now), now)
            for listener in self.names
        }

    def require(self, listener: str) -> None:
        """Make sure that a listener is one of them.

        Raises:
            CommandError: Nobody deployed this listener; names those that there are.
        """
        names = self.names
        if listener not in names:
            raise CommandError(
                f"{listener} is no listener here: take {' or '.join(names)}, "
                f"or add {listener} to the listeners in cdk.json and deploy"
            )

    def forget_refusals(self) -> None:
        """Have the next polls call Spotify as if it had never refused: the simulated one only.

        Raises:
            SettingsError: What is remembered cannot be read.
        """
        for listener in self.names:
            if login := self._login(listener):
                self._apps.answered(login.client_id, self._apps.load(login.client_id))
            state = self._states.load(listener)
            if state.needs_login or state.last_error:
                forgiven = state.model_copy(update={"needs_login": None, "last_error": None})
                self._states.save(listener, forgiven)

    @property
    def names(self) -> list[str]:
        """The listeners that are deployed, in alphabetical order."""
        pages = self._secrets.get_paginator("list_secrets").paginate(
            Filters=[{"Key": "name", "Values": [self._prefix]}]
        )
        names = [secret["Name"] for page in pages for secret in page["SecretList"]]
        return sorted(name.removeprefix(self._prefix) for name in names)

    def _login(self, listener: str) -> Credentials | None:
        try:
            return self._store.load(listener)
        except SettingsError:
            # The tick that stumbles over it raises an alarm; here the rest is worth showing.
            return None

    def _state(self, listener: str, now: datetime) -> ListenerState:
        try:
            return self._states.load(listener)
        except SettingsError as error:
            return ListenerState().failed("failed", error, now)

    def _capture(self, login: Credentials | None, state: ListenerState, now: datetime) -> Capture:
        app, unknown = self._app(login)
        refusal = state.needs_login
        return Capture(
            token_days_left=int(login.days_left(now)) if login else None,
            blocked_until=app.blocked_until if app.is_blocked(now) else None,
            block_unknown=unknown,
            # A login that was made since is not the one that Spotify refused.
            needs_login_since=(
                refusal.since if refusal and login and state.is_refused(login.fingerprint) else None
            ),
            answered_at=state.polled_at,
            last_error=_trouble(login, state),
        )

    def _app(self, login: Credentials | None) -> tuple[AppState, str | None]:
        """Give what is known of the app of a login, and why no more is."""
        try:
            return self._apps.load(login.client_id) if login else AppState(), None
        except SettingsError as error:
            return AppState(), str(error)


def _trouble(login: Credentials | None, state: ListenerState) -> Trouble | None:
    error = state.last_error
    if error is None or (login and error.at < login.authorized_at):
        return None
    return Trouble(kind=error.kind, message=error.message, at=error.at)
