"""What a start makes of a home, before any server runs."""

import json

import pytest

from infra.local.home import prepare
from infra.local.memory import FILE, INGESTED, Memory
from infra.local.run_options import RunOptions
from infra.local.state import LocalCloudError

REAL = RunOptions(
    spotify_api_url="https://api.spotify.com",
    spotify_accounts_url="https://accounts.spotify.com",
)


@pytest.fixture
def ingested(home):
    """All that a home can hold of plays, and one thing that is not ours."""
    for name in INGESTED:
        (home / name).mkdir()
        (home / name / "play").touch()
    (home / "diary.txt").write_text("not ours")
    return home


def test_starting_a_deployed_local_cloud_again_keeps_its_plays(ingested):
    Memory(sampled=True, simulated={"me"}).save(ingested)

    memory = prepare(ingested, RunOptions())

    assert [name for name in INGESTED if not (ingested / name / "play").exists()] == []
    assert memory == Memory.load(ingested)
    assert (memory.sampled, memory.simulated) == (True, frozenset({"me"}))


def test_a_start_after_an_incomplete_deployment_deletes_plays_but_no_passwords(ingested):
    before = Memory(deployed=False, real_spotify=True, sampled=True, simulated={"me", "anna"})
    before.save(ingested)

    after = prepare(ingested, RunOptions())

    left = {path.name for path in ingested.iterdir()}
    assert left == {"diary.txt", "logs", "cdk", "cdk.out", "memory.json"}
    assert (after.sampled, after.simulated, after.real_spotify) == (False, frozenset(), True)
    assert (after.ports, after.reader_password) == (before.ports, before.reader_password)


def test_the_option_empty_is_saved_in_the_home_directory(home):
    prepare(home, RunOptions(empty=True))

    assert Memory.load(home).empty


@pytest.mark.parametrize(
    ("memory", "options", "simulated"),
    [
        (Memory(deployed=False), RunOptions(), {"me"}),
        (Memory(deployed=False), RunOptions(empty=True), set()),
        (
            Memory(deployed=False),
            RunOptions(empty=True, context={"polling_enabled": "true"}),
            {"me"},
        ),
        (Memory(deployed=False), REAL, set()),
        (Memory(simulated=frozenset({"anna"})), RunOptions(), {"anna", "me"}),
        (Memory(empty=True, simulated=frozenset()), RunOptions(), set()),
        (Memory(real_spotify=True, simulated=frozenset()), RunOptions(), set()),
        (Memory(listeners=("anna",), simulated=frozenset()), RunOptions(), set()),
    ],
    ids=[
        *("new", "empty", "empty and polled", "real", "later start", "began empty", "turned"),
        "without me",
    ],
)
def test_listeners_with_simulated_plays_are_saved_in_the_home_directory(
    home, memory, options, simulated
):
    memory.save(home)

    prepare(home, options)

    assert Memory.load(home).simulated == simulated


def test_a_local_cloud_of_real_plays_refuses_to_poll_the_simulator(home):
    Memory(empty=True, simulated=frozenset()).save(home)

    with pytest.raises(LocalCloudError, match="polling_enabled would add simulated ones"):
        prepare(home, RunOptions(context={"polling_enabled": "true"}))

    assert not Memory.load(home).simulated


def test_a_local_cloud_without_simulated_plays_can_switch_to_real_spotify(home):
    assert prepare(home, REAL).real_spotify


def test_a_local_cloud_with_simulated_plays_cannot_switch_to_real_spotify(home):
    Memory(simulated={"me"}).save(home)

    assert not prepare(home, REAL).real_spotify


def test_saved_settings_with_a_field_of_an_earlier_release_still_load(home):
    written = json.loads(Memory(sampled=True, simulated={"me"}).model_dump_json())
    (home / FILE).write_text(json.dumps(written | {"no_longer_known": True}))

    assert prepare(home, RunOptions()).sampled


def test_a_home_directory_of_an_older_release_is_refused_with_the_next_step(home):
    written = json.loads(Memory().model_dump_json(exclude={"simulated"}))
    (home / FILE).write_text(json.dumps(written))

    with pytest.raises(LocalCloudError, match=r"earlier release.*`plays local reset`"):
        prepare(home, RunOptions())


def test_existing_folders_in_the_home_directory_become_private_to_the_owner(home):
    (home / "cdk").mkdir(mode=0o755)

    prepare(home, RunOptions())

    assert (home / "cdk").stat().st_mode & 0o077 == 0
