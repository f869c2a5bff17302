"""What the tests of the simulators share: a clock that stands still, and simulators to ask."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.test import Client

from infra.local import catalogue
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from infra.local.simulators.listener import Listener
from infra.local.simulators.reccobeats import reccobeats
from infra.local.simulators.spotify import spotify

RECENT = "/v1/me/player/recently-played"


class HandClock:
    """A clock that a test sets by hand."""

    def __init__(self):
        self.now = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)

    def __call__(self):
        return self.now

    def pass_s(self, seconds):
        """Let time go by."""
        self.now += timedelta(seconds=seconds)


class SpotifyApp:
    """A registered app that talks to the simulated Spotify."""

    def __init__(self, simulator):
        self.http = Client(simulator)

    def token(self, *, secret=CLIENT_SECRET, client_id=CLIENT_ID, **form):
        """Ask for an access token."""
        basic = b64encode(f"{client_id}:{secret}".encode()).decode()
        asked = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, **form}
        headers = {"Authorization": f"Basic {basic}"}
        return self.http.post("/api/token", data=asked, headers=headers)

    def login(self):
        """Give the header that authorises a call."""
        return {"Authorization": f"Bearer {self.token().json['access_token']}"}

    def get(self, path, **query):
        """Call the web API with a fresh token."""
        return self.http.get(path, query_string=query, headers=self.login())

    def recent(self, limit=50):
        """Ask for the plays with a fresh token."""
        return self.get(RECENT, limit=limit)

    def scenario(self, name, **options):
        """Switch a scenario on."""
        return self.http.post("/_control/scenario", json={"name": name, **options})

    def push(self, *numbers):
        """Show plays that ended at 8:00 and some tens of seconds, one for each track."""
        plays = [
            {"track_number": number, "played_at": f"2026-11-23T08:00:{place * 10:02}.250Z"}
            for place, number in enumerate(numbers)
        ]
        return self.http.post("/_control/plays", json=plays)

    def blocked_calls(self):
        """Return the number of calls during a block."""
        counted = self.http.get("/_control/blocked_calls").json
        assert counted is not None
        return counted["blocked_calls"]


def id_of(number):
    return catalogue.track(number).track_id


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def listening(clock):
    """An app on the account of someone who listens."""
    return SpotifyApp(spotify(clock, Listener()))


@pytest.fixture
def silent(clock):
    """An app on the account of someone who plays nothing."""
    return SpotifyApp(spotify(clock))


@pytest.fixture
def features(clock):
    return Client(reccobeats(clock))
