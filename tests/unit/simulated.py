"""The real simulators in this process, for tests of their clients.

    @pytest.fixture
    def simulated():
        with simulators() as running:
            yield running

    def test_a_block_is_waited_for(simulated):
        simulated.scenario("rate-limited", retry_after_s=60, times=1)
        ... point the code at simulated.spotify_url and simulated.reccobeats_url ...
        simulated.pass_s(61)
        ...
        assert simulated.blocked_calls() == 0

The listener plays nothing automatically, except with `frozen=False`; `push` shows plays.
`CLIENT_ID`, `CLIENT_SECRET` and `REFRESH_TOKEN` of `infra.local.simulators.account` log in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from infra.local.ports import HOST
from infra.local.scenarios import Simulators
from infra.local.simulators.listener import Listener
from infra.local.simulators.reccobeats import reccobeats
from infra.local.simulators.server import CONTROL, Clock, Server, Simulator, wall_clock
from infra.local.simulators.spotify import spotify
from shared.models import iso


@dataclass
class Simulated:
    """Both simulators, and the door for tests of each."""

    spotify_url: str
    reccobeats_url: str

    def scenario(self, name: str, **options: int) -> None:
        """Switch a scenario on; its name determines the simulator. See `infra.local.scenarios`."""
        urls = {"Spotify": self.spotify_url, "ReccoBeats": self.reccobeats_url}
        Simulators(urls, {}).switch(name, options)

    def pass_s(self, seconds: int) -> None:
        """Let time go by for both; each call sets the clocks further ahead."""
        for url in (self.spotify_url, self.reccobeats_url):
            ahead_s = _control("GET", url, "clock")["ahead_s"]
            _control("POST", url, "clock", {"ahead_s": ahead_s + seconds})

    def now(self) -> datetime:
        """Return the simulated time at Spotify."""
        return datetime.fromisoformat(_control("GET", self.spotify_url, "clock")["now"])

    def push(self, *plays: dict[str, Any]) -> None:
        """Show plays: `{"track_number": 7, "played_at": "…Z"}`, or play history objects."""
        _control("POST", self.spotify_url, "plays", list(plays))

    def authorize(self, at: datetime) -> None:
        """Let the listener have logged in at an instant."""
        _control("POST", self.spotify_url, "grant", {"authorized_at": iso(at)})

    def blocked_calls(self) -> int:
        """Count the calls to both during the wait after a 429."""
        urls = (self.spotify_url, self.reccobeats_url)
        return sum(_control("GET", url, "blocked_calls")["blocked_calls"] for url in urls)

    def counts(self) -> dict[str, int]:
        """Count the requests to both, by path."""
        urls = (self.spotify_url, self.reccobeats_url)
        return {
            path: count
            for url in urls
            for path, count in _control("GET", url, "requests")["counts"].items()
        }


@contextmanager
def simulators(
    *, seed: int = 1, frozen: bool = True, clock: Clock = wall_clock
) -> Iterator[Simulated]:
    """Serve both simulators on free ports of loopback."""
    with (
        _served(spotify(Listener(seed), clock, frozen=frozen)) as spotify_url,
        _served(reccobeats(clock)) as reccobeats_url,
    ):
        yield Simulated(spotify_url, reccobeats_url)


@contextmanager
def _served(simulator: Simulator) -> Iterator[str]:
    server = Server(simulator, HOST, 0)
    try:
        yield f"http://{HOST}:{server.port}"
    finally:
        server.stop()


def _control(method: str, url: str, path: str, body: Any = None) -> Any:
    with requests.Session() as session:
        # A proxy of the environment does not know our loopback.
        session.trust_env = False
        response = session.request(method, f"{url}{CONTROL}{path}", json=body, timeout=5)
    response.raise_for_status()
    return response.json()
