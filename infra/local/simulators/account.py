"""The one Spotify account of the simulator: its tokens, its grants, and the plays it shows."""

import hmac
import secrets
from datetime import datetime, timedelta

from infra.local.simulators.listener import Listened, Listener
from infra.local.simulators.server import Clock

CLIENT_ID = "local-client"
CLIENT_SECRET = "local-client-secret"  # noqa: S105 - opens the simulator and nothing else
REFRESH_TOKEN = "local-refresh-token"  # noqa: S105 - likewise

ACCESS_TOKEN_S = 3_600
"""Lifetime of an access token."""

PLAYS_SHOWN = 50
"""Spotify shows only this many plays, the newest; older ones cannot be fetched."""


class AccessTokens:
    """The issued access tokens. A restart loses them, and clients ask for new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expire_at: dict[str, datetime] = {}

    def issue(self, lives_s: int) -> str:
        """Issue an access token that expires after `lives_s` seconds."""
        token = f"BQ{secrets.token_urlsafe(96)}"
        self._expire_at[token] = self._clock() + timedelta(seconds=lives_s)
        return token

    def forget(self) -> None:
        """Invalidate all tokens."""
        self._expire_at.clear()

    def complaint(self, token: str | None) -> str | None:
        """Return what is wrong with a token, in Spotify's words; None if it is valid."""
        if token is None:
            return "No token provided"
        expires_at = self._expire_at.get(token)
        if expires_at is None:
            return "Invalid access token"
        return "The access token expired" if self._clock() >= expires_at else None


class Grants:
    """The refresh tokens: signed, so a client's token stays valid after a restart."""

    def __init__(self) -> None:
        self._replaced: set[str] = set()

    def issue(self) -> str:
        """Issue the refresh token of a listener who consents."""
        stem = f"AQ{secrets.token_urlsafe(96)}"
        return f"{stem}.{_signature(stem)}"

    def rotate(self, token: str) -> str:
        """Invalidate a refresh token, and issue a new one in its place."""
        self._replaced.add(token)
        return self.issue()

    def complaint(self, token: str) -> str | None:
        """Return what is wrong with a refresh token, in Spotify's words; None if it is valid."""
        if token in self._replaced:
            return "Refresh token revoked"
        stem, _, signature = token.rpartition(".")
        is_signed = hmac.compare_digest(signature.encode(), _signature(stem).encode())
        return None if is_signed or token == REFRESH_TOKEN else "Invalid refresh token"


class Plays:
    """The plays that the account shows: what its listener plays, and what a test added."""

    def __init__(self, listener: Listener | None, clock: Clock) -> None:
        self.added: list[Listened] = []
        self._listener = listener
        self._clock = clock

    def newest(self) -> list[Listened]:
        """Return the plays that tests added, and the last `PLAYS_SHOWN` of the listener."""
        listened = self._listener.plays_until(self._clock(), PLAYS_SHOWN) if self._listener else []
        return [*self.added, *listened]


def _signature(stem: str) -> str:
    """Sign a refresh token."""
    return hmac.new(CLIENT_SECRET.encode(), stem.encode(), "sha256").hexdigest()
