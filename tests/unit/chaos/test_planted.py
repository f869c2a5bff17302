"""The faults that the fault suite must find."""

import pytest

from infra.local.state import REPOSITORY
from tests.chaos.faults import FAULTS
from tests.chaos.planted import PLANTED


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_each_planted_fault_still_fits_its_file(planted):
    text = (REPOSITORY / planted.file).read_text()

    assert text.count(planted.before) == 1


def test_each_planted_fault_is_looked_for_by_faults_that_exist():
    assert {name for planted in PLANTED for name in planted.faults.split(",")} <= FAULTS.keys()
