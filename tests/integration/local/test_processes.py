import os
import subprocess
import sys

import pytest

from infra.local.pidfile import holder
from infra.local.processes import Child, run, wait_for_end
from infra.local.state import REPOSITORY

FINDS_US = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

# Starts another process that holds the file it is told, and sleeps.
PARENT = """
import subprocess, sys, time
hold = "import sys, time; from pathlib import Path; from infra.local.pidfile import held\\n"
hold += "with held(Path(sys.argv[1])): time.sleep(60)"
subprocess.Popen([sys.executable, "-c", hold, sys.argv[1]])
time.sleep(60)
"""
# Does not mind being asked to stop.
STUBBORN = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1]).write_text("ready")
time.sleep(60)
"""


@pytest.fixture
def note(tmp_path):
    return tmp_path / "note"


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_a_stop_ends_the_child_and_all_that_it_started(child, note, eventually):
    child.start(python(PARENT, note), FINDS_US)
    eventually(lambda: holder(note))

    child.stop()

    assert child.exit_code is not None
    assert holder(note) is None


def test_a_child_that_ignores_the_request_is_killed(child, note, eventually):
    child.start(python(STUBBORN, note), os.environ)
    eventually(note.exists)

    child.stop()

    assert child.exit_code == -9


def test_a_child_has_time_to_put_things_in_order(home, note, eventually):
    code = STUBBORN.replace("SIG_IGN", "default_int_handler").replace(
        "time.sleep(60)",
        "try: time.sleep(60)\nexcept KeyboardInterrupt: time.sleep(0.5); "
        "Path(sys.argv[1]).write_text('in order')",
    )
    child = Child("tidy", home, patience_s=10)
    child.start(python(code, note), os.environ)
    eventually(note.exists)

    child.stop()

    assert note.read_text() == "in order"


def test_another_process_can_stop_what_a_crash_left_behind(child, home):
    child.start(python("import time; time.sleep(60)"), os.environ)

    Child("dummy", home, patience_s=1).stop()

    assert child.exit_code is not None


def test_stopping_what_does_not_run_does_nothing(child):
    child.stop()

    assert child.exit_code is None


def test_what_a_child_says_is_in_its_log(child, eventually):
    child.start(python("import sys; print('out'); sys.exit('err')"), os.environ)

    eventually(lambda: child.exit_code is not None)
    assert sorted(child.log.read_text().split()) == ["err", "out"]
    assert child.exit_code == 1


def test_a_child_sees_the_given_environment_alone(child, monkeypatch, eventually):
    monkeypatch.setenv("AWS_PROFILE", "my-employer")
    child.start(python("import os; print(*os.environ)"), {"GIVEN": "1"})

    eventually(lambda: child.exit_code is not None)
    assert "GIVEN" in child.log.read_text()
    assert "AWS_PROFILE" not in child.log.read_text()


def test_the_files_of_a_child_are_its_owners_alone(child, note, eventually):
    child.start(python(STUBBORN, note), os.environ)

    eventually(note.exists)
    assert note.stat().st_mode & 0o077 == 0


def test_waiting_for_an_end_gives_up_in_time(child, home):
    child.start(python("import time; time.sleep(60)"), os.environ)

    assert not wait_for_end(home / "dummy.pid", patience_s=0.1)
    assert holder(home / "dummy.pid") is not None


def test_a_run_gives_the_exit_code_and_adds_to_the_log(home):
    log = home / "log"
    log.write_text("before\n")

    code = run(python("import sys; sys.exit('after')"), os.environ, home, log, timeout_s=10)

    assert code == 1
    assert log.read_text() == "before\nafter\n"


def test_a_run_that_takes_too_long_leaves_nothing_running(home, note, eventually):
    with pytest.raises(subprocess.TimeoutExpired):
        run(python(PARENT, note), FINDS_US, home, home / "log", timeout_s=1.5)

    assert note.exists()
    eventually(lambda: holder(note) is None)
