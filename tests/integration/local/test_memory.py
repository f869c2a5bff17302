from infra.local.memory import FILE, Memory
from infra.local.ports import Ports


def test_the_saved_settings_of_a_home_directory_load_unchanged(home):
    memory = Memory(ports=Ports(aws=14566), sampled=True, simulated={"me"})

    memory.save(home)

    assert Memory.load(home) == memory


def test_each_new_home_directory_gets_its_own_database_passwords(home):
    one, other = Memory.load(home), Memory.load(home)

    passwords = {one.migrator_password, one.loader_password, one.reader_password}
    assert len(passwords | {other.migrator_password}) == 4
    assert min(map(len, passwords)) >= 24


def test_each_home_directory_has_a_random_non_numeric_access_key(home):
    one, other = Memory.load(home), Memory.load(home)

    assert one.access_key != other.access_key
    assert len(one.access_key) == 20
    assert not one.access_key.isdigit()


def test_only_the_owner_can_read_the_password_file(home):
    memory = Memory()
    memory.save(home)

    assert (home / FILE).stat().st_mode & 0o777 == 0o600
    assert memory.loader_password not in repr(memory)
    assert memory.access_key not in repr(memory)
    assert memory.report_reader_password not in repr(memory)
