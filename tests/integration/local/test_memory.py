from infra.local.memory import FILE, Memory
from infra.local.ports import Ports


def test_a_saved_memory_is_loaded_again(home):
    memory = Memory(ports=Ports(aws=14566), sampled=True, simulated={"me"})

    memory.save(home)

    assert Memory.load(home) == memory


def test_a_new_home_has_passwords_of_its_own(home):
    one, other = Memory.load(home), Memory.load(home)

    passwords = {one.migrator_password, one.loader_password, one.reader_password}
    assert len(passwords | {other.migrator_password}) == 4
    assert min(map(len, passwords)) >= 24


def test_each_home_has_a_random_key_unlike_an_account_number(home):
    one, other = Memory.load(home), Memory.load(home)

    assert one.access_key != other.access_key
    assert len(one.access_key) == 20
    assert not one.access_key.isdigit()


def test_passwords_are_readable_by_their_owner_alone(home):
    memory = Memory()
    memory.save(home)

    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert memory.loader_password not in repr(memory)
    assert memory.access_key not in repr(memory)
    assert memory.report_reader_password not in repr(memory)
