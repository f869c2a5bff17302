"""What the fault suite knows of the plays that the simulated Spotify shows."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from werkzeug.test import Client

from infra.local.simulators.account import CLIENT_ID, REFRESH_TOKEN
from infra.local.simulators.listener import Listener
from infra.local.simulators.spotify import spotify
from tests.chaos.feed import Feed, Spotify
from tests.chaos.truth import Heard

NOW = datetime(2026, 11, 30, 12, 3, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def plays():
    return Feed(Random(1), 1).live(8, NOW, timedelta(seconds=1))  # noqa: S311 - repeatable


def shown_by_the_simulator(at, plays):
    """Return what the simulated Spotify shows at an instant after it was given plays."""
    http = Client(spotify(lambda: at, Listener()))
    http.post("/_control/plays", json=plays)
    form = {"grant_type": "refresh_token", "refresh_token": REFRESH_TOKEN, "client_id": CLIENT_ID}
    granted: Any = http.post("/api/token", data=form).json
    answer: Any = http.get(
        "/v1/me/player/recently-played",
        query_string={"limit": 50},
        headers={"Authorization": f"Bearer {granted['access_token']}"},
    )
    return [
        Heard(item["track"]["uri"], datetime.fromisoformat(item["played_at"]))
        for item in answer.json["items"]
    ]


def test_the_feed_predicts_the_plays_that_the_simulated_spotify_shows(plays):
    known = Spotify()
    known.begin(plays)

    assert known.shown(LATER) == shown_by_the_simulator(LATER, plays)[::-1]


def test_a_play_counts_as_added_only_once_the_simulator_has_received_it(plays):
    known = Spotify()
    heard = known.begin(plays)
    before = known.added_until(LATER)
    known.add(plays)

    assert not before & {*heard}
    assert known.added_until(LATER) >= {*heard}


def test_two_runs_have_no_made_up_track_in_common():
    first, second = (Feed(Random(1), seed).history(50) for seed in (1, 2))  # noqa: S311 - repeatable

    assert not {row["spotify_track_uri"] for row in first if row["spotify_track_uri"]} & {
        row["spotify_track_uri"] for row in second
    }
