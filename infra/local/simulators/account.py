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
"""How long an access token lives."""

PLAYS_SHOWN = 50
"""Spotify shows the newest plays only; there is no way to the older ones."""


GRANT_LIFETIME = timedelta(days=181)
"""How long a refresh token lives, however often it is used: six months, here the shortest six.

Source:
    https://developer.spotify.com/blog/2026-06-18-refresh-token-expiration
"""


class AccessTokens:
    """The access tokens handed out; a restart forgets them, and clients ask for new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expire_at: dict[str, datetime] = {}
        self._listeners: set[str] = set()

    def issue(self, lives_s: int = ACCESS_TOKEN_S, *, of_listener: bool = True) -> str:
        """Hand out a new one; one that is of no listener opens the catalogue alone."""
        token = f"BQ{secrets.token_urlsafe(96)}"
        self._expire_at[token] = self._clock() + timedelta(seconds=lives_s)
        if of_listener:
            self._listeners.add(token)
        return token

    def forget(self) -> None:
        """Let none be good any more."""
        self._expire_at.clear()

    def complaint(self, token: str | None) -> str | None:
        """Say what is wrong with a token, in Spotify's words; None if it is good."""
        if token is None:
            return "No token provided"
        expires_at = self._expire_at.get(token)
        if expires_at is None:
            return "Invalid access token"
        return "The access token expired" if self._clock() >= expires_at else None

    def is_of_listener(self, token: str | None) -> bool:
        """Tell whether a listener stands behind a token, and not the app alone."""
        return token in self._listeners


class Grants:
    """The refresh tokens, and when the listener agreed to each.

    They are signed, so that a token kept by a client outlives a restart of the simulator, which
    then counts the six months anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_at = clock()
        self._authorized_at: dict[str, datetime] = {}
        self._replaced: set[str] = set()

    def issue(self, authorized_at: datetime | None = None) -> str:
        """Hand out the refresh token of a listener who agrees, now or at an instant."""
        stem = f"AQ{secrets.token_urlsafe(96)}"
        token = f"{stem}.{_signature(stem)}"
        self._authorized_at[token] = authorized_at or self._clock()
        return token

    def rotate(self, token: str) -> str:
        """Replace a token, which is good no more; the new one lives no longer than the old."""
        self._replaced.add(token)
        return self.issue(self._agreed_at(token))

    def complaint(self, token: str | None) -> str | None:
        """Say what is wrong with a refresh token, in Spotify's words; None if it is good."""
        if token is None or not _signed(token):
            return "Invalid refresh token"
        if token in self._replaced:
            return "Refresh token revoked"
        expired = self._clock() >= self._agreed_at(token) + GRANT_LIFETIME
        return "Refresh token expired" if expired else None

    def authorize(self, at: datetime) -> None:
        """Let the listener have agreed to every token at an instant."""
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
        """Give the plays shown now, newest first."""
        with self._lock:
            plays = [*self._kept, *self._listened()]
        return newest_first(plays)

    def add(self, plays: Iterable[wire.Wire]) -> None:
        """Show further plays, whatever they hold."""
        with self._lock:
            self._kept += plays

    def freeze(self) -> None:
        """Let the listener stop; what was played stays."""
        with self._lock:
            self._kept += self._listened()
            self._listening_since = None

    def resume(self) -> None:
        """Let the listener go on from now; does nothing while listening."""
        with self._lock:
            self._listening_since = self._listening_since or self._clock()

    def _listened(self) -> list[wire.Wire]:
        """Give what the listener played since the last freeze."""
        since = self._listening_since
        if since is None:
            return []
        return [
            wire.play_history(catalogue.track(play.track_number), play.ended_at, play.context_uri)
            for play in self._listener.plays_until(self._clock(), PLAYS_SHOWN)
            if play.ended_at > since
        ]


def newest_first(plays: Iterable[wire.Wire]) -> list[wire.Wire]:
    """Put plays in Spotify's order, and leave out those that it shows no more."""
    return sorted(plays, key=wire.unix_ms, reverse=True)[:PLAYS_SHOWN]


def _signed(token: str) -> bool:
    """Tell whether a refresh token is one of this simulator's, also of an earlier run."""
    stem, _, signature = token.rpartition(".")
    return token == REFRESH_TOKEN or hmac.compare_digest(
        signature.encode(), _signature(stem).encode()
    )


def _signature(stem: str) -> str:
    """Sign a refresh token."""
    return hmac.new(CLIENT_SECRET.encode(), stem.encode(), "sha256").hexdigest()
