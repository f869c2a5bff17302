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


def test_a_deployed_home_keeps_its_plays(ingested):
    Memory(sampled=True, simulated={"me"}).save(ingested)

    memory = prepare(ingested, RunOptions())

    assert [name for name in INGESTED if not (ingested / name / "play").exists()] == []
    assert memory == Memory.load(ingested)
    assert (memory.sampled, memory.simulated) == (True, frozenset({"me"}))


def test_a_home_that_is_not_deployed_loses_plays_but_not_passwords(ingested):
    before = Memory(deployed=False, real_spotify=True, sampled=True, simulated={"me", "anna"})
    before.save(ingested)

    after = prepare(ingested, RunOptions())

    left = {path.name for path in ingested.iterdir()}
    assert left == {"diary.txt", "logs", "cdk", "cdk.out", "memory.json"}
    assert (after.sampled, after.simulated, after.real_spotify) == (False, frozenset(), True)
    assert (after.ports, after.reader_password) == (before.ports, before.reader_password)


def test_a_home_remembers_that_it_began_empty(home):
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
    ],
    ids=["new", "empty", "empty and polled", "real", "later start", "began empty", "turned"],
)
def test_a_home_remembers_who_gets_simulated_plays(home, memory, options, simulated):
    memory.save(home)

    prepare(home, options)

    assert Memory.load(home).simulated == simulated


def test_a_home_for_own_plays_never_polls_the_simulator(home):
    Memory(empty=True, simulated=frozenset()).save(home)

    with pytest.raises(LocalCloudError, match="polling_enabled would add simulated ones"):
        prepare(home, RunOptions(context={"polling_enabled": "true"}))

    assert not Memory.load(home).simulated


def test_a_home_without_simulated_plays_can_turn_to_the_real_spotify(home):
    assert prepare(home, REAL).real_spotify


def test_a_home_with_simulated_plays_does_not_turn_to_the_real_spotify(home):
    Memory(simulated={"me"}).save(home)

    assert not prepare(home, REAL).real_spotify


def test_a_home_of_the_release_before_goes_on(home):
    written = json.loads(Memory(sampled=True, simulated={"me"}).model_dump_json())
    (home / FILE).write_text(json.dumps(written | {"no_longer_known": True}))

    assert prepare(home, RunOptions()).sampled


def test_a_home_of_an_earlier_release_is_refused_with_what_to_do(home):
    written = json.loads(Memory().model_dump_json(exclude={"simulated"}))
    (home / FILE).write_text(json.dumps(written))

    with pytest.raises(LocalCloudError, match=r"earlier release.*`plays local reset`"):
        prepare(home, RunOptions())


def test_folders_of_an_earlier_release_are_closed_to_other_users(home):
    (home / "cdk").mkdir(mode=0o755)

    prepare(home, RunOptions())

    assert (home / "cdk").stat().st_mode & 0o077 == 0
