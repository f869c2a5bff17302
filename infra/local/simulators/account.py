"""The one Spotify account of the simulator: its tokens, its grants, and the plays it shows."""

import hmac
import secrets
import threading
from collections.abc import Iterable
from datetime import datetime, timedelta

from infra.local import catalogue
from infra.local.simulators import wire
from infra.local.simulators.listener import EPOCH, Listener
from infra.local.simulators.server import Clock

CLIENT_ID = "local-client"
CLIENT_SECRET = "local-client-secret"  # noqa: S105 - opens the simulator and nothing else
REFRESH_TOKEN = "local-refresh-token"  # noqa: S105 - likewise

ACCESS_TOKEN_S = 3_600
"""Lifetime of an access token."""

PLAYS_SHOWN = 50
"""Spotify shows only this many plays, the newest; older ones cannot be fetched."""


GRANT_LIFETIME = timedelta(days=181)
"""Lifetime of a refresh token, however often it is used: six months, at least 181 days.

Source:
    https://developer.spotify.com/blog/2026-06-18-refresh-token-expiration
"""


class AccessTokens:
    """The issued access tokens. A restart loses them, and clients ask for new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expire_at: dict[str, datetime] = {}
        self._listeners: set[str] = set()

    def issue(self, lives_s: int = ACCESS_TOKEN_S, *, of_listener: bool = True) -> str:
        """Issue a token; without a listener it gives access to the catalogue only."""
        token = f"BQ{secrets.token_urlsafe(96)}"
        self._expire_at[token] = self._clock() + timedelta(seconds=lives_s)
        if of_listener:
            self._listeners.add(token)
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

    def is_of_listener(self, token: str | None) -> bool:
        """True if a token was issued for a listener, not for the app alone."""
        return token in self._listeners


class Grants:
    """The refresh tokens, and when the listener consented to each.

    They are signed, so a client's token stays valid after a restart of the simulator, which starts
    its six months again.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at = clock()
        self._authorized_at: dict[str, datetime] = {}
        self._replaced: set[str] = set()

    def issue(self, authorized_at: datetime | None = None) -> str:
        """Issue the refresh token of a listener who consents, now or at an instant."""
        stem = f"AQ{secrets.token_urlsafe(96)}"
        token = f"{stem}.{_signature(stem)}"
        self._authorized_at[token] = authorized_at or self._clock()
        return token

    def rotate(self, token: str) -> str:
        """Replace a token by a new one that expires at the same time."""
        self._replaced.add(token)
        return self.issue(self._agreed_at(token))

    def complaint(self, token: str | None) -> str | None:
        """Return what is wrong with a refresh token, in Spotify's words; None if it is valid."""
        if token is None or not _signed(token):
            return "Invalid refresh token"
        if token in self._replaced:
            return "Refresh token revoked"
        expired = self._clock() >= self._agreed_at(token) + GRANT_LIFETIME
        return "Refresh token expired" if expired else None

    def authorize(self, at: datetime) -> None:
        """Set the time of consent for all tokens."""
        self._began_at = at
        self._authorized_at.clear()

    def _agreed_at(self, token: str) -> datetime:
        return self._authorized_at.get(token, self._began_at)


class Plays:
    """The plays that the account shows: what its listener plays, and what a test added."""

    def __init__(self, listener: Listener, clock: Clock, *, frozen: bool) -> None:
        self._listener = listener
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[wire.Wire] = []
        self._listening_since = None if frozen else EPOCH

    def newest(self) -> list[wire.Wire]:
        """Return the plays shown now, newest first."""
        with self._lock:
            plays = [*self._kept, *self._listened()]
        return newest_first(plays)

    def add(self, plays: Iterable[wire.Wire]) -> None:
        """Add plays to those shown, valid or not."""
        with self._lock:
            self._kept += plays

    def freeze(self) -> None:
        """Stop the listener; earlier plays stay."""
        with self._lock:
            self._kept += self._listened()
            self._listening_since = None

    def resume(self) -> None:
        """Let the listener continue from now; does nothing while listening."""
        with self._lock:
            self._listening_since = self._listening_since or self._clock()

    def _listened(self) -> list[wire.Wire]:
        """Return the plays since the listener last started; none if frozen."""
        since = self._listening_since
        if since is None:
            return []
        return [
            wire.play_history(catalogue.track(play.track_number), play.ended_at, play.context_uri)
            for play in self._listener.plays_until(self._clock(), PLAYS_SHOWN)
            if play.ended_at > since
        ]


def newest_first(plays: Iterable[wire.Wire]) -> list[wire.Wire]:
    """Sort plays as Spotify does, and drop those that are too old to be shown."""
    return sorted(plays, key=wire.unix_ms, reverse=True)[:PLAYS_SHOWN]


def _signed(token: str) -> bool:
    """True if a refresh token was issued by this simulator, even in an earlier run."""
    stem, _, signature = token.rpartition(".")
    return token == REFRESH_TOKEN or hmac.compare_digest(
        signature.encode(), _signature(stem).encode()
    )


def _signature(stem: str) -> str:
    """Sign a refresh token."""
    return hmac.new(CLIENT_SECRET.encode(), stem.encode(), "sha256").hexdigest()
