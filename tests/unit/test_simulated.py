"""That `tests.unit.simulated` does what it says, seen through the clients that we deploy."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from infra.local import catalogue
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET, GRANT_LIFETIME, REFRESH_TOKEN
from services.enricher.sources.reccobeats import ReccoBeats
from shared.errors import SpotifyLoginError, SpotifyRateLimitError, SpotifyTokenError
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from tests.unit.simulated import simulators


@pytest.fixture
def simulated():
    with simulators() as running:
        yield running


@pytest.fixture
def session():
    with open_session() as session:
        yield session


@pytest.fixture
def refresh(simulated, session):
    accounts = SpotifyAccounts(session, simulated.spotify_url)
    return lambda: accounts.refresh(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN)


@pytest.fixture
def poll(simulated, session, refresh):
    api = SpotifyApi(session, simulated.spotify_url)
    token = refresh().access_token
    return lambda: api.recently_played(token)


def test_pushed_plays_are_shown(simulated, poll):
    simulated.push({"track_number": 7, "played_at": "2026-11-23T08:00:00.250Z"})

    assert [play.track_uri for play in poll().plays] == [catalogue.track(7).uri]


def test_calls_within_a_simulated_block_are_counted_until_it_ends(simulated, poll):
    simulated.scenario("rate-limited", retry_after_s=60, times=1)

    with pytest.raises(SpotifyRateLimitError) as refused:
        poll()
    with pytest.raises(SpotifyRateLimitError):
        poll()
    simulated.pass_s(30)
    simulated.pass_s(31)

    assert poll().returned == 0
    assert refused.value.retry_after_s == 60
    assert simulated.blocked_calls() == 1


def test_requests_to_both_services_are_counted(simulated, poll):
    with requests.Session() as session:
        source = ReccoBeats(simulated.reccobeats_url, session, lambda: datetime.now(UTC))
        poll()
        poll()
        source.fetch([catalogue.track(1).uri])

    assert simulated.counts() == {
        "/api/token": 1,
        "/v1/me/player/recently-played": 2,
        "/v1/audio-features": 1,
        "/v1/track": 1,
    }


def test_time_passes_for_tokens_and_for_grants(simulated, refresh, poll):
    simulated.pass_s(3_600)
    with pytest.raises(SpotifyTokenError):
        poll()

    simulated.authorize(simulated.now() - GRANT_LIFETIME + timedelta(minutes=1))
    alive = refresh()
    simulated.pass_s(60)

    assert alive.expires_in_s == 3_600
    with pytest.raises(SpotifyLoginError, match="invalid_grant"):
        refresh()


def test_each_use_begins_anew(simulated):
    simulated.scenario("unavailable")

    with simulators(frozen=False) as other, open_session() as session:
        token = SpotifyAccounts(session, other.spotify_url).refresh(
            CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
        )
        page = SpotifyApi(session, other.spotify_url).recently_played(token.access_token)

    assert page.returned == 50


def test_a_service_that_hangs_keeps_its_client_waiting(simulated, refresh):
    token = refresh().access_token
    simulated.scenario("hangs", hang_s=1)
    simulated.scenario("reccobeats-hangs", hang_s=1)

    with pytest.raises(requests.ReadTimeout):
        requests.get(
            f"{simulated.spotify_url}/v1/tracks",
            headers={"Authorization": f"Bearer {token}"},
            timeout=0.2,
        )
    with pytest.raises(requests.ReadTimeout):
        requests.get(
            f"{simulated.reccobeats_url}/v1/track?ids=x",
            headers={"User-Agent": "listening-history/1"},
            timeout=0.2,
        )
