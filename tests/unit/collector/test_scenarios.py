"""Every scenario of the simulated Spotify, against the real collector."""

import json
import re
import traceback
from datetime import UTC, datetime, timedelta

import pytest
import requests

import shared.spotify.api
from infra.local import catalogue
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from infra.local.simulators.scenarios import NORMAL
from infra.local.simulators.scenarios_spotify import SPOTIFY
from services.collector.domain.gaps import MOVE
from shared.errors import SpotifyError
from shared.models import PlayBatch, iso
from shared.telemetry import metrics
from tests.fakes.aws import MemoryAws, Steps
from tests.fakes.simulators import simulators
from tests.unit.collector.capture import a_collector

A_DAY_S = 86_400
OPTIONS = {"hangs": {"hang_s": 1}}


class SimulatedCapture:
    """The collector of one listener, with the simulators and AWS in memory."""

    def __init__(self, simulated, session):
        self.simulated = simulated
        self.session = session
        self.aws = MemoryAws(Steps())
        login = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
            "authorized_at": iso(datetime.now(UTC)),
        }
        self.aws.secrets["listener/me"] = json.dumps(login)
        self.played = []
        self.errors = []
        self.restart()

    def restart(self):
        """Start a new container without state."""
        self.collector = a_collector(
            self.aws, self.session, self.simulated.spotify_url, self.simulated.now
        )

    def play(self, count):
        """Play different tracks until now."""
        for ago in reversed(range(count)):
            number = len(self.played)
            ended_at = self.simulated.now() - timedelta(seconds=40 * ago)
            self.simulated.push({"track_number": number, "played_at": iso(ended_at)})
            self.played.append((catalogue.track(number).uri, ended_at))

    def poll(self):
        metrics.clear_metrics()
        try:
            return self.collector.poll("me").status
        except SpotifyError as error:
            self.errors += traceback.format_exception(error)
            return "failed"

    def batches(self):
        return list(map(PlayBatch.model_validate_json, self.aws.bodies))

    def lost(self):
        """Return the plays that are in no message."""
        published = [play for batch in self.batches() for play in batch.plays]
        return [
            (uri, ended_at)
            for uri, ended_at in self.played
            if not any(p.track_uri == uri and abs(p.played_at - ended_at) < MOVE for p in published)
        ]

    def open_gaps(self):
        """Return the starts of reported gaps that were never closed."""
        opened: set[datetime] = set()
        closed: set[datetime] = set()
        for report in (batch.report for batch in self.batches() if batch.report):
            for gap in filter(None, (report.gap, *getattr(report, "closed", ()))):
                (closed if gap.is_closed else opened).add(gap.started_at)
        return opened - closed


@pytest.fixture
def capture(monkeypatch):
    """A listener with polls so far and an expired access token."""
    monkeypatch.setattr(shared.spotify.api, "TIMEOUT_S", (1, 1))
    with simulators() as simulated, requests.Session() as session:
        session.trust_env = False
        capture = SimulatedCapture(simulated, session)
        capture.play(5)
        assert capture.poll() == "polled"
        simulated.pass_s(3_600)
        yield capture


@pytest.mark.parametrize("name", SPOTIFY)
def test_polls_lose_no_play_and_respect_rate_limits_in_every_simulator_scenario(
    capture, name, caplog, capsys
):
    capture.simulated.scenario(name, **OPTIONS.get(name, {}))
    for _ in range(4):
        capture.play(4)
        capture.poll()
        capture.simulated.pass_s(1_200)
    capture.simulated.scenario(NORMAL)
    capture.simulated.pass_s(A_DAY_S)
    capture.restart()
    capture.play(3)

    assert capture.poll() == "polled", capture.errors
    assert capture.lost() == []
    assert capture.open_gaps() == set()
    assert capture.simulated.blocked_calls() == 0
    text = "".join((*capture.errors, caplog.text, *capsys.readouterr(), *capture.aws.bodies))
    assert REFRESH_TOKEN not in text
    assert CLIENT_SECRET not in text
    assert not re.search(r"[AB]Q[\w-]{20}", text)
