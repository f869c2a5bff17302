import os
import signal
import subprocess
import sys

import psutil
import pytest

from infra.local.pidfile import held, holder, name
from infra.local.processes import (
    STOP,
    Child,
    command_of,
    deferred,
    interrupted_once,
    wait_for_end,
    wait_for_exit,
)
from infra.local.state import REPOSITORY, LocalCloudError

FINDS_US = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

# Starts another process that holds a given file, and sleeps.
PARENT = """
import subprocess, sys, time
hold = "import sys, time; from pathlib import Path; from infra.local.pidfile import held\\n"
hold += "with held(Path(sys.argv[1])): time.sleep(60)"
subprocess.Popen([sys.executable, "-c", hold, sys.argv[1]])
time.sleep(60)
"""
# Ignores requests to stop.
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


@pytest.fixture
def interrupting():
    """Each signal to stop becomes a KeyboardInterrupt, as in the supervisor."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOP}
    yield
    for number, action in before.items():
        signal.signal(number, action)


class SignalledOnUse(dict[str, str]):
    """An environment that sends this process a signal to stop while the child is being started."""

    def items(self):
        os.kill(os.getpid(), signal.SIGTERM)
        return super().items()


def signal_within_a_block(number, note) -> None:
    with deferred():
        os.kill(os.getpid(), number)
        note.write_text("to the end")


def commands() -> list[str]:
    return [word for process in psutil.process_iter() for word in command_of(process.pid)]


def python(code: str, *arguments: object) -> list[str]:
    return [sys.executable, "-c", code, *map(str, arguments)]


def test_stopping_a_child_ends_it_and_its_descendants(child, note, eventually):
    child.start(python(PARENT, note), FINDS_US)
    eventually(lambda: holder(note))

    child.stop()

    assert child.exit_code is not None
    eventually(lambda: holder(note) is None)


def test_a_child_that_ignores_sigterm_is_killed(child, note, eventually):
    child.start(python(STUBBORN, note), os.environ)
    eventually(note.exists)

    child.stop()

    assert child.exit_code == -9


def test_a_stopped_child_has_time_to_clean_up(home, note, eventually):
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


def test_a_signal_during_a_childs_start_is_raised_once_the_child_can_be_stopped(
    child, home, interrupting
):
    with pytest.raises(KeyboardInterrupt):
        child.start(python("import time; time.sleep(60)"), SignalledOnUse(os.environ))

    assert holder(home / "dummy.pid") not in (None, os.getpid())

    child.stop()

    assert child.exit_code is not None


@pytest.mark.parametrize("number", STOP)
def test_a_deferred_signal_is_raised_after_the_with_block(note, interrupting, number):
    with pytest.raises(KeyboardInterrupt):
        signal_within_a_block(number, note)

    assert note.read_text() == "to the end"


@pytest.mark.parametrize("number", STOP)
def test_only_the_first_signal_raises_keyboard_interrupt(number):
    before = signal.getsignal(number)

    with interrupted_once():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)

    assert signal.getsignal(number) == before


def test_stop_signals_can_be_ignored_before_the_first_one_arrives():
    with interrupted_once() as ignore:
        ignore()
        os.kill(os.getpid(), signal.SIGTERM)


def test_signal_handlers_are_restored_after_the_with_block(interrupting):
    with deferred():
        pass

    assert [signal.getsignal(number) for number in STOP] == [signal.default_int_handler] * 3


@pytest.mark.parametrize("own", [os.getpid, os.getpgrp], ids=["process", "group"])
def test_stopping_a_child_refuses_a_pid_file_that_names_the_caller_or_its_group(child, home, own):
    with held(home / "dummy.pid") as file:
        name(file, own())

        with pytest.raises(LocalCloudError, match="names another process"):
            child.stop()


def test_stopping_a_child_that_is_not_running_does_nothing(child):
    child.stop()

    assert child.exit_code is None


def test_stopping_an_ended_child_leaves_no_zombie(child, home, eventually):
    child.start([sys.executable, "-c", "import time; time.sleep(0.5)"], os.environ)
    pid = holder(home / "dummy.pid")
    eventually(lambda: not child.is_running)

    child.stop()

    assert not psutil.pid_exists(pid)


def test_only_the_owner_can_read_the_log_and_pid_file_of_a_child(child, note, eventually):
    child.start(python(STUBBORN, note), os.environ)

    eventually(note.exists)
    assert note.stat().st_mode & 0o077 == 0


def test_wait_for_end_returns_false_at_its_time_limit(child, home):
    child.start(python("import time; time.sleep(60)"), os.environ)

    assert not wait_for_end(home / "dummy.pid", patience_s=0.1)
    assert holder(home / "dummy.pid") is not None


def test_wait_for_exit_returns_once_the_process_has_exited(run_python):
    process = run_python("import time; print('ready', flush=True); time.sleep(0.3)")

    wait_for_exit(process.pid, patience_s=10)
    wait_for_exit(process.pid, patience_s=10)

    assert command_of(process.pid) == []


def test_wait_for_exit_returns_at_its_time_limit():
    wait_for_exit(os.getppid(), patience_s=0.1)

    assert command_of(os.getppid()) != []


def test_running_a_command_returns_its_exit_code(child, home):
    code = child.run(python("import sys; sys.exit('failed')"), os.environ, cwd=home, timeout_s=10)

    assert code == 1
    assert child.log.read_text() == "failed\n"


def test_a_command_that_times_out_is_stopped_with_its_children(child, home, note, eventually):
    with pytest.raises(subprocess.TimeoutExpired):
        child.run(python(PARENT, note), FINDS_US, cwd=home, timeout_s=1.5)

    assert note.exists()
    eventually(lambda: holder(note) is None)


def test_a_signal_while_a_command_starts_leaves_nothing_running(
    child, home, note, interrupting, eventually
):
    with pytest.raises(KeyboardInterrupt):
        child.run(python(PARENT, note), SignalledOnUse(FINDS_US), cwd=home, timeout_s=10)

    eventually(lambda: not any(str(note) in word for word in commands()))
