import os
import socket
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from infra.local import cloud
from infra.local.memory import Memory
from infra.local.parts import Parts
from infra.local.pidfile import held, holder
from infra.local.ports import HOST, Ports, any_free
from infra.local.processes import Child
from infra.local.run_options import RunOptions
from infra.local.state import FILE, SUPERVISOR, LocalCloudError
from shared.errors import SettingsError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

# Runs a local cloud whose servers are two sleeping processes.
SUPERVISOR_OF_DUMMIES = f"""
import signal, sys, time
from pathlib import Path
from infra.local.pidfile import held
from infra.local.processes import Child
home = Path(sys.argv[1])
with held(home / {SUPERVISOR!r}):
    children = [Child(title, home, 1) for title in ("ministack", "simulators")]
    for child in children:
        child.start({SLEEP!r}, {{}})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        print("ready", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        for child in children:
            child.stop()
"""


@pytest.fixture
def said():
    return []


@pytest.fixture
def left_behind(home):
    """What a crashed supervisor leaves: its children, its state, and its stale pid file."""
    (home / SUPERVISOR).write_text(str(os.getpid()))
    (home / FILE).write_text("{}")
    children = [Child(title, home) for title in ("ministack", "simulators")]
    for child in children:
        child.start(SLEEP, {})
    yield children
    for child in children:
        child.stop()
        assert child.exit_code is not None


@pytest.fixture
def memory():
    return Memory(ports=Ports(postgres=any_free()))


@pytest.fixture
def parts(memory):
    # Not in pytest's folders: run as root, Postgres has a user of its own, and each pytest that
    # starts shuts them to other users.
    with TemporaryDirectory() as home:
        parts = Parts(Path(home))
        parts.start_postgres(memory)
        yield parts
        parts.stop()


def test_a_background_start_makes_the_home_directory_private_to_its_owner(tmp_path, monkeypatch):
    class NoStartError(Exception):
        pass

    def fail(*_, **__):
        raise NoStartError

    monkeypatch.setattr(subprocess, "Popen", fail)
    home = tmp_path / "home"

    with pytest.raises(NoStartError):
        cloud.up(home, RunOptions(empty=True), detach=True, say=lambda _: None)

    assert [oct(path.stat().st_mode & 0o777) for path in (home, home / "logs")] == ["0o700"] * 2


@pytest.mark.parametrize("detach", [True, False], ids=["detached", "in the foreground"])
def test_starting_a_second_local_cloud_in_the_same_home_directory_is_refused(home, said, detach):
    with held(home / SUPERVISOR), pytest.raises(LocalCloudError, match="already") as refusal:
        cloud.up(home, RunOptions(empty=True), detach=detach, say=said.append)

    assert f"pid {os.getpid()}" in str(refusal.value)


def test_a_failed_background_start_is_reported_with_its_error(home, said):
    Memory().save(home)
    (home / "s3").write_text("where a folder should be")

    with pytest.raises(LocalCloudError, match="did not start"):
        cloud.up(home, RunOptions(empty=True), detach=True, say=said.append)

    assert any("FileExistsError" in line for line in said)
    assert holder(home / SUPERVISOR) is None


def test_an_unknown_context_option_is_rejected_before_anything_starts(tmp_path, said):
    home = tmp_path / "new"

    with pytest.raises(SettingsError, match="no_such_setting"):
        cloud.up(home, RunOptions(context={"no_such_setting": "1"}), detach=True, say=said.append)

    assert not home.exists()


def test_down_stops_the_supervisor_and_all_its_children(home, run_python):
    supervisor = run_python(SUPERVISOR_OF_DUMMIES, str(home))

    assert cloud.down(home)

    assert supervisor.wait(10) == 0
    assert holder(home / "ministack.pid") is None
    assert holder(home / "simulators.pid") is None


def test_down_stops_servers_left_by_a_crash_but_no_process_with_a_reused_pid(home, left_behind):
    # The stale pid file names this very process.
    assert cloud.down(home)

    assert [child.is_running for child in left_behind] == [False, False]
    assert not (home / FILE).exists()


def test_down_succeeds_if_the_local_cloud_never_ran(tmp_path):
    assert not cloud.down(tmp_path / "never")


def test_reset_deletes_only_files_of_the_local_cloud(home, memory):
    memory.save(home)
    (home / "ministack").mkdir()
    (home / "ministack" / "s3.json").write_text("{}")
    (home / "diary.txt").write_text("not ours")

    cloud.reset(home)

    assert [path.name for path in home.iterdir()] == ["diary.txt"]


def test_postgres_alone_can_be_stopped_and_started(parts, memory):
    parts.stop_postgres()

    assert not parts.postgres.is_running()
    assert not parts.has_postgres_ended

    parts.start_postgres(memory)

    with socket.create_connection((HOST, memory.ports.postgres)):
        assert parts.postgres.is_running()


def test_postgres_starts_after_a_crash_although_its_pid_was_reused(parts, memory):
    pid_file = parts.postgres.log.with_name("postmaster.pid")
    _, *rest = pid_file.read_text().splitlines()
    parts.stop_postgres()
    pid_file.write_text("\n".join([str(os.getpid()), *rest]))

    assert not parts.postgres.is_running()

    parts.start_postgres(memory)

    with socket.create_connection((HOST, memory.ports.postgres)):
        assert parts.postgres.is_running()


def test_a_postgres_that_ended_is_detected_and_can_be_started_again(parts, memory):
    assert not parts.has_postgres_ended

    parts.postgres.stop()
    assert parts.has_postgres_ended

    parts.start_postgres(memory)
    assert not parts.has_postgres_ended


def test_stopping_postgres_fails_if_no_local_cloud_is_running(home):
    with pytest.raises(LocalCloudError, match="no local cloud"):
        cloud.stop_postgres(home)

    assert not (home / "postgres.stopped").exists()
