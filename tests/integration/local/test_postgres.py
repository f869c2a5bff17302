import os
import secrets
import signal
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from infra.cdk.database import DATABASE
from infra.local import postgres
from infra.local.ports import any_free
from infra.local.postgres import (
    HOST,
    HOST_SETTINGS,
    SETTINGS,
    Passwords,
    PostgresServer,
    _binaries,
    _run_single,
)
from infra.local.processes import wait_for_exit
from infra.local.state import LocalCloudError
from shared.postgres import Address, Database

PASSWORDS = Passwords(*(secrets.token_hex(8) for _ in range(4)))
UNQUOTED = "half'secret"


class Interrupting(str):
    """A password at which a person presses Ctrl-C: there is a database, but no role yet."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        raise KeyboardInterrupt


@pytest.fixture
def data():
    # Not in pytest's folders: run as root, Postgres has a user of its own, and each pytest that
    # starts shuts them to other users.
    with TemporaryDirectory(prefix="postgres-") as folder:
        yield Path(folder) / "data"


@pytest.fixture
def server(data):
    server = PostgresServer(data)
    yield server
    server.stop()


IDENTITY = "SELECT current_user::text, current_database()::text"


def rows(port: int, role: str, statement: str = IDENTITY) -> list[list[object]]:
    address = Address(HOST, port, DATABASE, role, getattr(PASSWORDS, role))
    database = Database.connect(address)
    try:
        return database.run(statement)
    finally:
        database.close()


def test_a_start_creates_roles_that_an_interrupted_start_missed(server):
    port = any_free()
    with pytest.raises(KeyboardInterrupt):
        server.start(port, replace(PASSWORDS, loader=Interrupting("never set")))

    assert not server.is_running()

    server.start(port, PASSWORDS, "-c fsync=off")

    assert rows(port, "loader") == [["loader", DATABASE]]


def test_local_postgres_has_the_same_settings_as_the_database_host_in_aws(server):
    port = any_free()
    server.start(port, PASSWORDS, "-c fsync=off")

    local = [f"{name} = {rows(port, 'reader', f'SHOW {name}')[0][0]}" for name in HOST_SETTINGS]

    assert set(local) <= {
        line.partition(" #")[0].strip() for line in SETTINGS.read_text().splitlines()
    }


def test_the_write_ahead_log_is_limited_to_256_mb_and_log_times_are_in_utc(server):
    port = any_free()
    server.start(port, PASSWORDS, "-c fsync=off")

    names = ("max_wal_size", "log_timezone")
    assert [rows(port, "reader", f"SHOW {name}")[0][0] for name in names] == ["256MB", "UTC"]


def test_a_partly_initialized_data_directory_is_recreated(server, data):
    port, half = any_free(), data.with_name("data.new")
    half.mkdir()
    (half / "PG_VERSION").write_text("half")

    server.start(port, PASSWORDS, "-c fsync=off")

    assert rows(port, "loader") == [["loader", DATABASE]]
    assert [path.name for path in data.parent.iterdir()] == ["data"]


def test_a_start_on_data_of_an_earlier_release_creates_roles_added_since(server, data):
    port = any_free()
    server.start(port, PASSWORDS, "-c fsync=off")
    server.stop()
    as_before = "DROP OWNED BY report_reader;\n\nDROP ROLE report_reader;\n\n"
    _run_single(_binaries(data), data, DATABASE, as_before)

    server.start(port, PASSWORDS, "-c fsync=off")

    assert rows(port, "report_reader") == [["report_reader", DATABASE]]


def test_after_a_crash_roles_are_set_once_recovery_has_ended(server, data):
    port = any_free()
    server.start(port, PASSWORDS, "-c fsync=off")
    pid = int((data / "postmaster.pid").read_text().partition("\n")[0])
    os.kill(pid, signal.SIGKILL)
    wait_for_exit(pid)

    server.start(port, PASSWORDS, "-c fsync=off")

    assert rows(port, "loader") == [["loader", DATABASE]]


def test_a_frozen_server_is_killed_and_starts_again(server, data, monkeypatch):
    monkeypatch.setattr(postgres, "STOP_TIMEOUT_S", 1)
    port = any_free()
    server.start(port, PASSWORDS)
    process = psutil.Process(int((data / "postmaster.pid").read_text().split()[0]))
    for each in [*process.children(), process]:
        each.suspend()

    server.stop()

    assert not server.is_running()
    server.start(port, PASSWORDS)
    assert rows(port, "loader") == [["loader", DATABASE]]


def test_an_error_while_creating_roles_contains_no_password(server, capfd):
    with pytest.raises(
        LocalCloudError, match=r"could not create its database or roles: .*ERROR"
    ) as failure:
        server.start(any_free(), replace(PASSWORDS, loader=UNQUOTED))

    assert "secret" not in "".join([str(failure.value), *capfd.readouterr()])
    assert "\n" not in str(failure.value)
    assert not server.is_running()


def test_a_failed_postgres_start_is_a_one_line_error_naming_the_log(server):
    with pytest.raises(LocalCloudError, match=r"does not start: see .*/log$") as failure:
        server.start(any_free(), PASSWORDS, "-c no_such_setting=1")

    assert "\n" not in str(failure.value)


def test_postgres_is_not_running_if_its_pid_file_names_another_data_directory(server, data):
    data.mkdir()
    (data / "postmaster.pid").write_text("1\n/somewhere\n")

    assert not server.is_running()


def test_postgres_is_not_running_if_its_pid_file_is_empty(server, data):
    data.mkdir()
    (data / "postmaster.pid").write_text("")

    assert not server.is_running()


def test_postgres_starts_after_a_crash_in_single_user_mode(server, data):
    server.start(any_free(), PASSWORDS)
    server.stop()
    # The server writes its pid as a negative number then.
    (data / "postmaster.pid").write_text("-4194303\n")

    server.start(any_free(), PASSWORDS)

    assert server.is_running()
