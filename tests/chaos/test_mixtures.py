"""A short seeded part of `make chaos`: faults on a local cloud of its own lose nothing."""

import pytest

from infra.local.deploy import COMMAND
from tests.chaos.__main__ import at_the_end
from tests.chaos.faults import FAULTS
from tests.chaos.feed import Spotify
from tests.chaos.run import Run
from tests.chaos.world import World, new_home, quick, reserve_ports

MIXTURES = (
    ("loader-killed-after-commit", "enriched-plays-doubled-and-reordered", "burst"),
    ("backend-killed", "worker-killed", "rate-limited"),
)
FREEZE_S = 2
TIMEOUT_S = 12
"""The other tests keep the machine busy meanwhile."""


@pytest.fixture(scope="module")
def world():
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    world = World(new_home(), ["one", "two"], quick(TIMEOUT_S))
    reserve_ports(world.home)
    try:
        world.up()
        yield world
    finally:
        world.close()


@pytest.fixture(scope="module")
def spotify():
    return Spotify()


@pytest.mark.parametrize(("seed", "names"), [*enumerate(MIXTURES)], ids=map(" ".join, MIXTURES))
def test_a_mixture_of_faults_loses_and_doubles_nothing(world, spotify, seed, names):
    faults = [FAULTS[name] for name in names]

    run = Run(world, spotify, seed + 1, faults, FREEZE_S)
    outcome = run.execute()
    later = at_the_end(world, [run])

    assert outcome.problems == {}
    assert later.problems == {}
    assert outcome.plays > 50
