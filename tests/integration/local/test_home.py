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


def test_starting_a_deployed_home_again_keeps_its_plays(ingested):
    Memory(sampled=True, simulated={"me"}).save(ingested)

    memory = prepare(ingested, RunOptions())

    assert [name for name in INGESTED if not (ingested / name / "play").exists()] == []
    assert memory == Memory.load(ingested)
    assert (memory.sampled, memory.simulated) == (True, frozenset({"me"}))


def test_an_undeployed_home_is_cleared_except_for_its_passwords(ingested):
    before = Memory(deployed=False, real_spotify=True, sampled=True, simulated={"me", "anna"})
    before.save(ingested)

    after = prepare(ingested, RunOptions())

    left = {path.name for path in ingested.iterdir()}
    assert left == {"diary.txt", "logs", "cdk", "cdk.out", "memory.json"}
    assert (after.sampled, after.simulated, after.real_spotify) == (False, frozenset(), True)
    assert (after.ports, after.reader_password) == (before.ports, before.reader_password)


def test_the_option_empty_is_saved_in_the_home(home):
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
def test_listeners_with_simulated_plays_are_saved_in_the_home(home, memory, options, simulated):
    memory.save(home)

    prepare(home, options)

    assert Memory.load(home).simulated == simulated


def test_a_home_of_real_plays_never_polls_the_simulator(home):
    Memory(empty=True, simulated=frozenset()).save(home)

    with pytest.raises(LocalCloudError, match="polling_enabled would add simulated ones"):
        prepare(home, RunOptions(context={"polling_enabled": "true"}))

    assert not Memory.load(home).simulated


def test_a_home_without_simulated_plays_can_switch_to_real_spotify(home):
    assert prepare(home, REAL).real_spotify


def test_a_home_with_simulated_plays_cannot_switch_to_real_spotify(home):
    Memory(simulated={"me"}).save(home)

    assert not prepare(home, REAL).real_spotify


def test_a_home_with_a_field_of_the_previous_release_still_loads(home):
    written = json.loads(Memory(sampled=True, simulated={"me"}).model_dump_json())
    (home / FILE).write_text(json.dumps(written | {"no_longer_known": True}))

    assert prepare(home, RunOptions()).sampled


def test_a_home_of_an_older_release_is_refused_with_the_next_step(home):
    written = json.loads(Memory().model_dump_json(exclude={"simulated"}))
    (home / FILE).write_text(json.dumps(written))

    with pytest.raises(LocalCloudError, match=r"earlier release.*`plays local reset`"):
        prepare(home, RunOptions())


def test_existing_home_folders_are_made_private_to_the_owner(home):
    (home / "cdk").mkdir(mode=0o755)

    prepare(home, RunOptions())

    assert (home / "cdk").stat().st_mode & 0o077 == 0
