from types import SimpleNamespace
from typing import Any

import pytest

from cli.errors import CommandError
from cli.login.spotify_target import (
    SpotifyUrls,
    must_switch,
    polled_urls,
    switch_to_real_spotify,
    urls_after_switch,
)
from infra.local import cloud
from infra.local.memory import Memory
from tests.unit.cli.cloud_state import a_cloud_state
from tests.unit.cli.conftest import KnownTarget


@pytest.fixture
def switches(monkeypatch):
    """Record each switch to the real Spotify: True if it deletes the data."""
    asked = []

    def switch(_, *, start_over):
        asked.append(start_over)

    monkeypatch.setattr(cloud, "turn_to_real_spotify", switch)
    return asked


@pytest.fixture
def polled(home):
    """Record that the collector polled the simulator."""
    Memory(simulated={"me"}).save(home)


@pytest.fixture
def simulated(target, home):
    return KnownTarget("local", target.stack, target.session, a_cloud_state(simulated=True))


@pytest.fixture
def real(target, home):
    return KnownTarget("local", target.stack, target.session, a_cloud_state(simulated=False))


def a_context(make_target) -> Any:
    return SimpleNamespace(obj=make_target)


def prepared(*targets, simulated=False, start_over=False):
    """Return the target to log in at; `targets` are those before and after a switch."""
    target = targets[0]
    if not must_switch(target, simulated=simulated, start_over=start_over):
        return target
    found = iter(targets)
    return switch_to_real_spotify(a_context(lambda: next(found)), start_over=start_over)


@pytest.mark.parametrize("start_over", [False, True])
def test_without_simulated_plays_the_switch_keeps_all_data(simulated, real, switches, start_over):
    assert prepared(simulated, real, start_over=start_over) is real
    assert switches == [False]


@pytest.mark.parametrize("cloud", ["simulated", "real"])
def test_start_over_deletes_simulated_plays(cloud, simulated, real, polled, switches):
    target = {"simulated": simulated, "real": real}[cloud]

    assert prepared(target, real, start_over=True) is real
    assert switches == [True]


def test_simulated_plays_prevent_a_switch_without_start_over(simulated, polled, switches):
    with pytest.raises(CommandError, match="add --start-over, which deletes everything in it"):
        prepared(simulated)

    assert switches == []


def test_simulated_plays_that_arrive_after_the_check_are_not_deleted(simulated, polled, switches):
    with pytest.raises(CommandError, match="must not be mixed"):
        switch_to_real_spotify(a_context(lambda: simulated), start_over=False)

    assert switches == []


def test_option_simulated_is_not_advised_if_no_simulator_is_polled(real, polled, switches):
    with pytest.raises(CommandError, match="must not be mixed") as raised:
        prepared(real)

    assert switches == []
    assert "--simulated" not in str(raised.value)


def test_a_simulated_login_does_not_switch_to_the_real_spotify(simulated, polled, switches):
    assert prepared(simulated, simulated=True) is simulated
    assert switches == []


def test_a_simulated_login_on_aws_is_refused(target):
    with pytest.raises(CommandError, match=r"^--simulated is for a local cloud: AWS polls"):
        prepared(target, simulated=True)


@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("simulated", "--simulated is for a local cloud that polls the simulated Spotify"),
        (
            "start_over",
            "--start-over deletes simulated plays of a local cloud, and there are none to delete",
        ),
    ],
)
def test_simulated_and_start_over_are_refused_without_simulated_plays(real, switches, option, line):
    with pytest.raises(CommandError, match=line):
        prepared(real, **{option: True})

    assert switches == []


def test_options_simulated_and_start_over_exclude_each_other(simulated, switches):
    with pytest.raises(CommandError, match="--start-over deletes simulated plays"):
        prepared(simulated, simulated=True, start_over=True)

    assert switches == []


def test_a_target_that_polls_the_real_spotify_is_not_switched(target, real, switches):
    assert [prepared(target), prepared(real)] == [target, real]
    assert switches == []


def test_after_a_switch_a_login_goes_to_the_real_spotify(simulated):
    assert urls_after_switch(simulated.state) == SpotifyUrls(
        "https://api.spotify.com", "https://accounts.spotify.com"
    )


def test_a_login_goes_to_the_spotify_that_the_collector_polls(real):
    assert polled_urls(real) == SpotifyUrls("https://api.example", "https://accounts.example")


@pytest.mark.parametrize(
    ("url", "is_local"), [("http://127.0.0.1:8701", True), ("https://accounts.spotify.com", False)]
)
def test_a_simulator_is_recognized_by_its_loopback_address(url, is_local):
    assert SpotifyUrls(url, url).is_local is is_local
