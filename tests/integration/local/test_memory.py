import json

import pytest

from infra.local.memory import FILE, Memory
from infra.local.ports import Ports


def test_a_home_remembers(home):
    memory = Memory(ports=Ports(aws=14566), sampled=True, simulated={"me"})

    memory.save(home)

    assert Memory.load(home) == memory


def test_a_new_home_has_passwords_of_its_own(home):
    one, other = Memory.load(home), Memory.load(home)

    passwords = {one.migrator_password, one.loader_password, one.reader_password}
    assert len(passwords | {other.migrator_password}) == 4
    assert min(map(len, passwords)) >= 24


def test_each_home_has_a_random_key_that_no_account_number_resembles(home):
    one, other = Memory.load(home), Memory.load(home)

    assert one.access_key != other.access_key
    assert len(one.access_key) == 20
    assert not one.access_key.isdigit()


def test_passwords_are_their_owners_alone(home):
    memory = Memory()
    memory.save(home)

    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert memory.loader_password not in repr(memory)
    assert memory.access_key not in repr(memory)
    assert memory.report_reader_password not in repr(memory)


@pytest.mark.parametrize(
    ("known", "poll_of", "empty", "simulated"),
    [
        ({}, None, True, set()),
        ({}, "anna", True, {"anna"}),
        ({"sampled": True}, "me", False, {"me"}),
        ({"sampled": True}, None, False, {"me"}),
        ({"real_spotify": True}, "me", False, set()),
        ({"deployed": False}, None, False, set()),
        ({"empty": True, "sampled": False}, None, True, set()),
    ],
    ids=["empty", "empty but polled", "simulated", "sampled", "turned", "interrupted", "named"],
)
def test_a_home_of_an_earlier_release_is_known_for_what_it_is(
    home, known, poll_of, empty, simulated
):
    ports = Ports().model_dump()
    (home / FILE).write_text(json.dumps({"ports": ports, "loader_password": "kept"} | known))
    if poll_of:
        (home / "s3" / "000000000000" / "archive" / "polls" / poll_of).mkdir(parents=True)

    memory = Memory.load(home)

    assert (memory.empty, memory.simulated, memory.loader_password) == (empty, simulated, "kept")
