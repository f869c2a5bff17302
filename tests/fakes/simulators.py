"""The simulators of Spotify and ReccoBeats, served by this process.

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

The listener plays only what `push` adds.
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
from infra.local.simulators.reccobeats import reccobeats
from infra.local.simulators.server import CONTROL, Server, Simulator, wall_clock
from infra.local.simulators.spotify import spotify


@dataclass
class Simulated:
    """Both simulators, and the control paths of each."""

    spotify_url: str
    reccobeats_url: str

    def scenario(self, name: str, **options: int) -> None:
        """Switch a scenario on; its name determines the simulator. See `infra.local.scenarios`."""
        urls = {"Spotify": self.spotify_url, "ReccoBeats": self.reccobeats_url}
        Simulators(urls, {}).switch(name, options)

    def pass_s(self, seconds: int) -> None:
        """Let time go by for both; each call sets the clocks further ahead."""
        (ahead_s, _) = self._both("clock", "ahead_s")
        for url in (self.spotify_url, self.reccobeats_url):
            _control("POST", url, "clock", {"ahead_s": ahead_s + seconds})

    def now(self) -> datetime:
        """Return the simulated time."""
        return datetime.fromisoformat(self._both("clock", "now")[0])

    def push(self, *plays: dict[str, Any]) -> None:
        """Show plays: `{"track_number": 7, "played_at": "…Z"}`."""
        _control("POST", self.spotify_url, "plays", list(plays))

    def blocked_calls(self) -> int:
        """Return the number of calls to both during the wait after a 429."""
        return sum(self._both("blocked_calls", "blocked_calls"))

    def _both(self, path: str, field: str) -> list[Any]:
        urls = (self.spotify_url, self.reccobeats_url)
        return [_control("GET", url, path)[field] for url in urls]


@contextmanager
def simulators() -> Iterator[Simulated]:
    """Serve both simulators on free ports of loopback."""
    with _served(spotify(wall_clock)) as spotify_url, _served(reccobeats(wall_clock)) as other_url:
        yield Simulated(spotify_url, other_url)


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
