"""Asking a running local cloud to poll the real Spotify; other processes stand in for it."""

import pytest

from infra.local import cloud
from infra.local.memory import Memory
from infra.local.state import FILE, SUPERVISOR, CloudState, LocalCloudError
from shared.errors import SettingsError

# Restarts once as a supervisor does: its state is gone until it is ready again.
SUPERVISOR_OF_NOTHING = f"""
import os, sys, time
from pathlib import Path
from infra.local.pidfile import held
from infra.local.state import CloudState
home, behaviour = Path(sys.argv[1]), sys.argv[2]
with held(home / {SUPERVISOR!r}):
    state = CloudState(
        pid=os.getpid(), aws_endpoint="http://127.0.0.1:1", region="us-east-1", access_key="key",
        secret_key="test", bucket="archive", database_url="postgresql://x", log_dir=home,
        spotify_api_url="http://x", spotify_accounts_url="http://x", reccobeats_url="http://x",
    )
    state.save(home)
    print("ready", flush=True)
    while (home / {FILE!r}).exists():
        time.sleep(0.01)
    if behaviour == "restarts":
        state.save(home)
    if behaviour != "ends":
        time.sleep(60)
"""


@pytest.fixture
def running(home, run_python):
    """Start a process that stands in for a supervisor, and return its pid."""
    return lambda behaviour: run_python(SUPERVISOR_OF_NOTHING, str(home), behaviour).pid


@pytest.mark.parametrize("start_over", [True, False])
def test_a_switch_to_the_real_spotify_is_saved_in_the_home_directory(home, running, start_over):
    Memory(simulated={"me"}).save(home)
    pid = running("restarts")

    cloud.turn_to_real_spotify(home, start_over=start_over)

    memory = Memory.load(home)
    assert CloudState.load(home).pid == pid
    # A home that is not deployed is emptied at its next start.
    assert (memory.real_spotify, memory.deployed) == (True, not start_over)


def test_a_switch_to_real_spotify_fails_if_the_cloud_ends(home, running):
    running("ends")

    with pytest.raises(
        LocalCloudError, match=r"ended .*, see .* `make run` starts it; then run `plays login`"
    ):
        cloud.turn_to_real_spotify(home, start_over=False)


def test_the_error_of_a_timed_out_switch_says_that_plays_and_logins_are_deleted(
    home, running, monkeypatch
):
    running("hangs")
    monkeypatch.setattr(cloud, "TURN_S", 0.2)

    with pytest.raises(
        LocalCloudError, match=r"not complete after 0\.2 s.*deletes all plays and logins in it"
    ):
        cloud.turn_to_real_spotify(home, start_over=True)


def test_a_stopped_cloud_cannot_switch_to_the_real_spotify(home):
    with pytest.raises(LocalCloudError, match="no local cloud runs"):
        cloud.turn_to_real_spotify(home, start_over=False)

    assert not (home / "memory.json").exists()


def test_changed_listeners_are_saved_once_the_cloud_has_restarted(home, running):
    Memory(simulated={"me"}).save(home)
    pid = running("restarts")

    cloud.change_listeners(home, ["me", "anna"])

    assert CloudState.load(home).pid == pid
    assert Memory.load(home).listeners == ("me", "anna")
    assert not Memory.load(home).real_spotify


def test_invalid_listener_names_are_refused_without_a_restart(home, running):
    running("hangs")

    with pytest.raises(SettingsError, match="listeners"):
        cloud.change_listeners(home, ["Not A Name"])

    assert (home / FILE).exists()


def test_the_error_of_a_failed_restart_says_how_to_deploy_the_listeners(home, running):
    running("ends")

    with pytest.raises(
        LocalCloudError, match=r"listeners are not deployed yet: .* ended .* starts it, with them"
    ):
        cloud.change_listeners(home, ["me", "anna"])
