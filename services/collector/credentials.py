"""A listener's login: the secret that holds the refresh token, and the access tokens from it."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic_core import from_json

from shared.errors import SettingsError, SpotifyLoginError
from shared.models import BoundedInstant
from shared.spotify.api import SpotifyAccounts
from shared.spotify.login import KeptToken, keep, read_secret
from shared.spotify.wire import Grant, Secret
from shared.telemetry import logger

GRANT_LIFETIME = timedelta(days=180)
"""A login expires after six months, even if its token is rotated (Spotify, June 2026)."""


class Credentials(BaseModel):
    """The listener's secret, as the login wrote it. Fields that a later release adds are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    client_id: Secret
    client_secret: Secret | Literal[""] = ""
    refresh_token: Secret
    authorized_at: BoundedInstant

    def __repr__(self) -> str:
        return f"Credentials({self.fingerprint})"

    __str__ = __repr__

    @property
    def fingerprint(self) -> str:
        """Return an identifier of the refresh token that does not reveal it."""
        return hashlib.sha256(self.refresh_token.encode()).hexdigest()[:16]

    def days_left(self, now: datetime) -> float:
        """Return the days until the listener must log in again; at least 0."""
        return max(0.0, (self.authorized_at + GRANT_LIFETIME - now) / timedelta(days=1))


class CredentialStore:
    """Reads and writes each listener's login in the secret `<prefix><listener>`."""

    def __init__(self, secretsmanager: Any, prefix: str) -> None:
        self._secretsmanager = secretsmanager
        self._prefix = prefix
        self._unwritten: dict[str, tuple[str, Credentials]] = {}
        """By listener: the replaced fingerprint, and the rotated login that is not written yet."""

    def load(self, listener: str) -> Credentials | None:
        """Read a listener's credentials; None before the first login.

        A rotated token whose write failed is written first, because Spotify may no longer accept
        the stored one. If the listener has logged in again since, the rotated token is discarded.

        Raises:
            SettingsError: The secret lacks a field that a login writes, or is not JSON. The error
                never holds its value.
        """
        name = self._prefix + listener
        current = _read(name, read_secret(self._secretsmanager, name) or "")
        replaced, rotated = self._unwritten.get(listener, ("", None))
        if rotated and current and current.fingerprint == replaced:
            self._secretsmanager.put_secret_value(
                SecretId=name, SecretString=rotated.model_dump_json()
            )
            logger.info("refresh token rotated", extra={"listener": listener})
            current = rotated
        self._unwritten.pop(listener, None)
        return current

    def require(self, listener: str) -> None:
        """Check that the secret of a listener exists.

        Raises:
            SettingsError: It does not exist, because the listener is not deployed.
        """
        name = self._prefix + listener
        try:
            self._secretsmanager.describe_secret(SecretId=name)
        except self._secretsmanager.exceptions.ResourceNotFoundException as error:
            raise SettingsError(
                f"there is no secret {name}: add it with `plays listener add {listener}`"
            ) from error

    def save(self, listener: str, login: Credentials) -> None:
        """Replace a listener's login; other fields of the secret stay.

        Raises:
            SettingsError: The listener is not deployed.
        """
        self.require(listener)
        value = self._fields(listener) | login.model_dump(mode="json")
        self._secretsmanager.put_secret_value(
            SecretId=self._prefix + listener, SecretString=json.dumps(value)
        )

    def rotate(self, listener: str, credentials: Credentials, refresh_token: str) -> Credentials:
        """Write a rotated refresh token, unless the listener has logged in meanwhile.

        If the write fails, the next `load` tries again.

        Secrets Manager has no conditional write, so a login that is stored between the read and the
        write is lost. The listener then logs in again.

        Returns:
            The rotated credentials, or the given ones if the listener has logged in meanwhile.
        """
        rotated = credentials.model_copy(update={"refresh_token": refresh_token})
        self._unwritten[listener] = (credentials.fingerprint, rotated)
        return rotated if self.load(listener) == rotated else credentials

    def _fields(self, listener: str) -> dict[str, Any]:
        """Read a secret's fields for `save`; a secret that is not a JSON object has none."""
        text = read_secret(self._secretsmanager, self._prefix + listener)
        try:
            value = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def _read(name: str, text: str) -> Credentials | None:
    with suppress(AttributeError, ValueError):
        # Not by `json`, which reads what cannot be written back: a rotated token would be lost.
        value = from_json(text.strip() or "{}", allow_inf_nan=False)
        # The deployment creates an empty secret; the login fills it.
        return Credentials.model_validate(value) if value.get("refresh_token") else None
    # Raised outside an `except` block, because the errors of pydantic hold the secret.
    raise SettingsError(
        f"secret {name} is not JSON with client_id, client_secret, refresh_token "
        "and authorized_at: run `plays login`"
    )


class AccessTokens:
    """Caches the listeners' access tokens while the container stays warm."""

    def __init__(
        self, accounts: SpotifyAccounts, store: CredentialStore, clock: Callable[[], datetime]
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._kept: dict[str, KeptToken] = {}

    def get(self, listener: str, credentials: Credentials) -> str:
        """Return the cached access token of this login, or a new one.

        Raises:
            SpotifyError: As `SpotifyAccounts.refresh` does.
        """
        kept = self._kept.get(listener)
        if kept is None or not kept.serves(credentials.fingerprint, self._clock()):
            kept = self._kept[listener] = self._refresh(listener, credentials)
        return kept.text

    def drop(self, listener: str) -> None:
        """Remove a listener's access token from the cache, because Spotify refused it."""
        self._kept.pop(listener, None)

    def _refresh(self, listener: str, credentials: Credentials) -> KeptToken:
        asked_at = self._clock()
        grant, credentials = self._trade(listener, credentials)
        if grant.refresh_token and grant.refresh_token != credentials.refresh_token:
            # Before the new access token is used, because the old refresh token may be invalid now.
            credentials = self._store.rotate(listener, credentials, grant.refresh_token)
        return keep(grant, credentials.fingerprint, asked_at)

    def _trade(self, listener: str, credentials: Credentials) -> tuple[Grant, Credentials]:
        try:
            return self._grant(credentials), credentials
        except SpotifyLoginError:
            # Another poll may have rotated the token, or the listener has just logged in again.
            current = self._store.load(listener)
            if current is None or current.fingerprint == credentials.fingerprint:
                raise
            return self._grant(current), current

    def _grant(self, credentials: Credentials) -> Grant:
        return self._accounts.refresh(
            credentials.client_id, credentials.client_secret, credentials.refresh_token
        )
