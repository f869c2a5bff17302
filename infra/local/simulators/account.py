"""The one Spotify account of the simulator: its grant, and the plays it shows."""

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


class AccessTokens:
    """The access tokens handed out; a restart forgets them, and clients ask for new ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expire_at: dict[str, datetime] = {}

    def issue(self) -> str:
        """Hand out a new one."""
        token = f"BQ{secrets.token_urlsafe(96)}"
        self._expire_at[token] = self._clock() + timedelta(seconds=ACCESS_TOKEN_S)
        return token

    def complaint(self, token: str | None) -> str | None:
        """Say what is wrong with a token, in Spotify's words; None if it is good."""
        if token is None:
            return "No token provided"
        if token not in self._expire_at:
            return "Invalid access token"
        return "The access token expired" if self._clock() >= self._expire_at[token] else None


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
        return sorted(plays, key=wire.unix_ms, reverse=True)[:PLAYS_SHOWN]

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
