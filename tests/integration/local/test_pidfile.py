import os
import subprocess
import sys
import threading

import pytest

from infra.local import pidfile
from infra.local.pidfile import held, holder, name

HOLD = """
import sys, time
from pathlib import Path
from infra.local.pidfile import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.pid"


def test_a_missing_pid_file_is_held_by_no_process(path):
    assert holder(path) is None


def test_the_process_holding_a_pid_file_is_returned_while_it_runs(path, run_python):
    process = run_python(HOLD, str(path))

    assert holder(path) == process.pid


def test_a_killed_process_releases_its_pid_file(path, run_python):
    process = run_python(HOLD, str(path))
    process.kill()
    process.wait()

    assert path.read_text() == str(process.pid)
    assert holder(path) is None


def test_a_stale_pid_file_is_held_by_no_process_even_if_its_pid_was_reused(path):
    path.write_text(str(os.getpid()))

    assert holder(path) is None


def test_a_pid_file_can_be_held_by_one_process_at_a_time(path, run_python):
    run_python(HOLD, str(path))

    with pytest.raises(BlockingIOError), held(path):
        pass


def test_a_child_that_inherits_the_pid_file_still_holds_it(path):
    with held(path) as file:
        child = subprocess.Popen([sys.executable, "-c", "input()"], pass_fds=[file], stdin=-1)
        name(file, child.pid)

    assert holder(path) == child.pid
    child.communicate(b"\n")
    assert holder(path) is None


def test_a_pid_written_just_after_the_lock_is_awaited(path):
    with held(path) as file:
        os.ftruncate(file, 0)
        writer = threading.Timer(0.1, name, (file, 4711))
        writer.start()

        assert holder(path) == 4711
        writer.join()


def test_a_locked_pid_file_without_a_pid_is_an_error(path, monkeypatch):
    monkeypatch.setattr(pidfile, "WRITTEN_S", 0.1)
    with held(path) as file:
        os.ftruncate(file, 0)

        with pytest.raises(BlockingIOError):
            holder(path)
