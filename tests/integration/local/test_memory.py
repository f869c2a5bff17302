from infra.local.memory import FILE, Memory
from infra.local.ports import Ports


def test_a_home_remembers(home):
    memory = Memory(ports=Ports(aws=14566), sampled=True)

    memory.save(home)

    assert Memory.load(home) == memory


def test_a_new_home_has_passwords_of_its_own(home):
    one, other = Memory.load(home), Memory.load(home)

    passwords = {one.migrator_password, one.loader_password, one.reader_password}
    assert len(passwords | {other.migrator_password}) == 4
    assert min(map(len, passwords)) >= 24


def test_passwords_are_their_owners_alone(home):
    memory = Memory()
    memory.save(home)

    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert memory.loader_password not in repr(memory)
