"""The faults that the fault suite must find."""

import pytest

from infra.local.state import REPOSITORY
from tests.chaos.faults import FAULTS
from tests.chaos.planted import PLANTED


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_the_code_that_each_planted_fault_replaces_occurs_once_in_its_file(planted):
    text = (REPOSITORY / planted.file).read_text()

    assert text.count(planted.before) == 1


def test_planted_faults_name_only_existing_faults_of_the_suite():
    assert {name for planted in PLANTED for name in planted.faults.split(",")} <= FAULTS.keys()
