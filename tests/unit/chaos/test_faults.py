"""How the fault suite chooses its mixtures."""

from random import Random

from infra.local.simulators.scenarios_reccobeats import RECCOBEATS
from infra.local.simulators.scenarios_spotify import SPOTIFY
from tests.chaos.faults import FAULTS, choose


def mixtures():
    return [choose(Random(seed)) for seed in range(2_000)]  # noqa: S311 - repeatable on purpose


def test_the_fault_suite_has_a_fault_for_every_simulator_scenario():
    assert FAULTS.keys() >= {*SPOTIFY, *RECCOBEATS}


def test_every_fault_is_chosen_by_some_of_2000_seeds():
    chosen = {fault.name for mixture in mixtures() for fault in mixture}

    assert chosen == FAULTS.keys() - {"none"}


def test_a_mixture_has_one_to_four_faults_of_different_groups():
    for mixture in mixtures():
        groups = [fault.group for fault in mixture]

        assert 1 <= len(groups) == len(set(groups)) <= 4


def test_no_mixture_combines_a_burst_of_plays_with_a_fault_that_hides_plays():
    for mixture in mixtures():
        assert not (any(f.hides for f in mixture) and any(f.group == "burst" for f in mixture))


def test_the_same_seed_chooses_the_same_faults():
    assert choose(Random(5)) == choose(Random(5))  # noqa: S311 - repeatable on purpose
