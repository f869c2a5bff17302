"""The real collector with its own clock, AWS in memory, and a Spotify that the caller chooses."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from services.collector.credentials import AccessTokens, Credentials, CredentialStore
from services.collector.poll import Collector, Outcome
from services.collector.state import ListenerState, ListenerStates
from shared.archive import Archive
from shared.models import Play, PlayBatch, iso
from shared.queues import Queue
from shared.spotify.api import SpotifyAccounts, SpotifyApi
from shared.spotify.rate_limits import AppState, SpotifyApps
from shared.telemetry import metrics
from tests.fakes.aws import MemoryAws, Steps
from tests.fakes.spotify import Reply, RotatingSpotify, a_page, a_row

START = datetime(2026, 11, 23, 8, tzinfo=UTC)


def a_collector(
    aws: MemoryAws, session: requests.Session, url: str, clock: Callable[[], datetime]
) -> Collector:
    """Build a collector as a new container does, without tokens in its cache."""
    credentials = CredentialStore(aws, "listener/")
    return Collector(
        spotify=SpotifyApi(session, url),
        credentials=credentials,
        tokens=AccessTokens(SpotifyAccounts(session, url), credentials, clock),
        states=ListenerStates(aws, "listener-state"),
        apps=SpotifyApps(aws, "spotify-app"),
        archive=Archive(aws, "archive"),
        queue=Queue(aws, "queue"),
        clock=clock,
    )


@dataclass
class Capture:
    """The live capture of listeners; `me` logged in 30 days ago."""

    now: datetime = START
    steps: Steps = field(default_factory=Steps)

    def __post_init__(self) -> None:
        self.aws = MemoryAws(self.steps)
        self.log_in("AQ-0")
        self.spotify = RotatingSpotify(
            self.steps.step, lambda: self.now, lambda: self.login().refresh_token
        )
        self.restart()

    def restart(self) -> None:
        """Start a new container without state.

        In reality a refresh token that was not stored is lost, and the listener must log in again.
        Here the stored one stays valid, so that the test can go on.
        """
        self.spotify.newest = self.login().refresh_token
        self.collector = a_collector(
            self.aws, self.spotify.session(), self.spotify.url, lambda: self.now
        )

    def log_in(self, refresh_token: str, listener: str = "me", **more: object) -> None:
        secret = {
            "client_id": "app",
            "client_secret": "",
            "refresh_token": refresh_token,
            "authorized_at": iso(self.now - timedelta(days=30)),
        }
        self.aws.secrets[f"listener/{listener}"] = json.dumps(secret | more)

    def login(self) -> Credentials:
        """Return the stored login of `me`."""
        return Credentials.model_validate_json(self.aws.secrets["listener/me"])

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    def poll(self, listener: str = "me", crash: tuple[int | str, str] | None = None) -> Outcome:
        self.steps.crash, self.steps.taken = crash, 0
        metrics.clear_metrics()
        return self.collector.poll(listener)

    def metrics(self) -> dict[str, list[float]]:
        """Return the metrics of the last poll."""
        return {name: metric["Value"] for name, metric in metrics.metric_set.items()}

    def state(self) -> ListenerState:
        return ListenerStates(self.aws, "listener-state").load("me")

    def app(self) -> AppState:
        return SpotifyApps(self.aws, "spotify-app").load("app")

    def end_rate_limits(self) -> None:
        """Forget the rate limits, without letting time pass."""
        for key in [key for key in self.aws.items if key[0] == "spotify-app"]:
            del self.aws.items[key]

    def batches(self) -> list[PlayBatch]:
        """Return all messages in order."""
        return list(map(PlayBatch.model_validate_json, self.aws.bodies))

    def received(self) -> list[PlayBatch]:
        """Receive the messages since the last call, in order."""
        batches = self.batches()
        self.aws.bodies.clear()
        return batches

    def published(self) -> list[Play]:
        """Return the plays of all messages in order."""
        return [play for batch in self.batches() for play in batch.plays]

    def row(self, minutes_ago: float, **track: Any) -> dict[str, Any]:
        """Return a row of a play that ended some minutes ago; its track is named after them."""
        ended_at = self.now - timedelta(minutes=minutes_ago)
        return a_row(iso(ended_at), name=f"T{minutes_ago}", **track)

    def page(self, *minutes_ago: float) -> Reply:
        """Return an answer of recently-played with plays that ended some minutes ago."""
        return a_page(*map(self.row, minutes_ago))
