"""Every reader ends in a value or in a reason for the same few hundred inputs of each run."""

import pytest

from tests.fuzz.harness import run
from tests.fuzz.readers import TARGETS

INPUTS = 240
"""Of each reader: all of them take 10 s. `make fuzz` reads on from another seed."""
SLOW = {"loads": 16, "copy-text": 48}
SEED = 20_261_130


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_reader_returns_a_value_or_an_expected_error(target):
    found = run(target, start=SEED, inputs=SLOW.get(target.name, INPUTS))

    assert found.values > 0
