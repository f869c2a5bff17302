import os
from types import SimpleNamespace

import pytest

from cli.errors import CommandError
from cli.login.spotify_target import SpotifyPlace, must_turn, place_after_turning, place_of, turn
from infra.local import cloud
from infra.local.memory import Memory
from infra.local.state import CloudState
from tests.unit.cli.conftest import KnownTarget
from tests.unit.cli.login_stage import deploy_collector

URLS = ("spotify_api_url", "spotify_accounts_url", "reccobeats_url")


class LocalTarget(KnownTarget):
    """A target with the state of a local cloud, whose AWS is moto's all the same."""

    @property
    def outputs(self):
        return {"CollectorFunction": "collector"}

    def client(self, service):
        return self.session.client(service)


def a_target(aws, tmp_path, *, simulated):
    state = CloudState(
        pid=os.getpid(),
        aws_endpoint="http://127.0.0.1:1",
        region="us-east-1",
        access_key="000000000000",
        secret_key="test",  # noqa: S106 - no real one
        bucket="archive",
        database_url="postgresql://reader:p@127.0.0.1:1/spotify",
        **dict.fromkeys(URLS, "http://127.0.0.1:1"),
        simulated=simulated,
        log_dir=tmp_path,
    )
    return LocalTarget("local", "SpotifyPipeline", aws, state)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def turns(monkeypatch):
    """The turns that the local cloud was asked for, each by whether it starts over."""
    asked = []

    def turn(_, *, start_over):
        asked.append(start_over)

    monkeypatch.setattr(cloud, "turn_to_real_spotify", turn)
    return asked


@pytest.fixture
def polled(home):
    """The collector has polled the simulator."""
    Memory(simulated={"me"}).save(home)


@pytest.fixture
def simulated(aws, home):
    return a_target(aws, home, simulated=True)


@pytest.fixture
def real(aws, home):
    return a_target(aws, home, simulated=False)


def settled(*targets, simulated=False, start_over=False):
    """Find where to log in, if these targets are there, before and after a turn."""
    target = targets[0]
    if not must_turn(target, simulated=simulated, start_over=start_over):
        return target
    found = iter(targets)
    return turn(SimpleNamespace(obj=lambda: next(found)), start_over=start_over)


def test_a_cloud_that_simulated_nothing_yet_turns_to_the_real_spotify(simulated, real, turns):
    assert settled(simulated, real) is real
    assert turns == [False]


def test_nothing_is_deleted_where_nothing_was_simulated(simulated, real, turns):
    settled(simulated, real, start_over=True)

    assert turns == [False]


def test_simulated_plays_and_real_ones_are_not_mixed(simulated, polled, turns):
    with pytest.raises(CommandError, match="`plays login --start-over` deletes all that is in it"):
        settled(simulated)

    assert turns == []


def test_plays_that_were_simulated_since_the_look_are_not_deleted_unasked(simulated, polled, turns):
    with pytest.raises(CommandError, match="must not be mixed"):
        turn(SimpleNamespace(obj=lambda: simulated), start_over=False)

    assert turns == []


def test_simulated_plays_stand_in_the_way_of_another_spotify_too(real, polled, turns):
    with pytest.raises(CommandError, match="must not be mixed") as raised:
        settled(real)

    assert turns == []
    assert "--simulated" not in str(raised.value)


def test_simulated_plays_are_deleted_before_a_login_at_another_spotify(real, polled, turns):
    assert settled(real, real, start_over=True) is real
    assert turns == [True]


def test_whoever_starts_over_deletes_the_simulated_plays(simulated, real, polled, turns):
    assert settled(simulated, real, start_over=True) is real
    assert turns == [True]


def test_a_login_at_the_simulator_turns_nothing(simulated, polled, turns):
    assert settled(simulated, simulated=True) is simulated
    assert turns == []


def test_aws_has_no_simulator_to_log_in_at(target):
    with pytest.raises(CommandError, match=r"^--simulated: AWS polls the real Spotify") as raised:
        settled(target, simulated=True)

    assert "local" not in str(raised.value)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("simulated", "--simulated: no simulator is polled here"),
        (
            "start_over",
            "--start-over deletes a local cloud with simulated plays, and there are none",
        ),
    ],
)
def test_where_nothing_is_simulated_there_is_no_simulator_and_nothing_to_delete(
    real, turns, option, line
):
    with pytest.raises(CommandError, match=line):
        settled(real, **{option: True})

    assert turns == []


def test_a_login_at_the_simulator_deletes_nothing(simulated, turns):
    with pytest.raises(CommandError, match="--start-over deletes a local cloud"):
        settled(simulated, simulated=True, start_over=True)

    assert turns == []


def test_aws_and_a_cloud_with_a_spotify_of_its_own_stay_as_they_are(target, real, turns):
    assert [settled(target), settled(real)] == [target, real]
    assert turns == []


def test_a_login_before_a_turn_goes_where_the_collector_will_poll(simulated):
    assert place_after_turning(simulated.state) == SpotifyPlace(
        "https://api.spotify.com", "https://accounts.spotify.com"
    )


def test_a_login_goes_where_the_collector_polls(aws, real):
    deploy_collector(
        aws, SPOTIFY_API_URL="https://api.example", SPOTIFY_ACCOUNTS_URL="https://accounts.example"
    )

    assert place_of(real) == SpotifyPlace("https://api.example", "https://accounts.example")


@pytest.mark.parametrize(
    ("url", "is_here"), [("http://127.0.0.1:8701", True), ("https://accounts.spotify.com", False)]
)
def test_a_proxy_is_not_asked_for_what_is_on_this_machine(url, is_here):
    assert SpotifyPlace(url, url).is_here is is_here
