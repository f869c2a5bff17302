"""Child processes that any process can stop: each leads a process group and locks a pid file."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import psutil

from infra.local.pidfile import held, holder, name
from infra.local.state import LocalCloudError

STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to stop."""
POLL_S = 0.05
KILLED_S = 5
"""How long a killed process may take to end."""


class Child:
    """One background process, identified by the file `<title>.pid` in the home directory.

    Args:
        title: Its name in messages and file names.
        home: The folder of its pid file, and of its log under `logs/`.
        patience_s: How long it may take to stop before it is killed.
    """

    def __init__(self, title: str, home: Path, patience_s: float = 10) -> None:
        self.title = title
        self.log = home / "logs" / f"{title}.log"
        self._pid_file = home / f"{title}.pid"
        self._home = home
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start the process in its own session, so that a Ctrl-C in the terminal does not reach it.

        Args:
            command: The program and its arguments.
            environment: All of its environment variables; it inherits no others.
            cwd: Its working directory; by default the home directory.
        """
        # The file contains the pid of this process until the child's pid is written.
        with deferred(), held(self._pid_file) as file, new_log(self.log) as log:
            process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                cwd=cwd or self._home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[file],
                umask=0o077,
            )
            self._process = process
            name(file, process.pid)
        return process

    def run(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cwd: Path,
        timeout_s: float,
    ) -> int:
        """Run a command until it ends, kill what it left running, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: The command took longer than `timeout_s` and was killed.
        """
        try:
            return self.start(command, environment, cwd).wait(timeout_s)
        finally:
            self.stop(at_once=True)

    @property
    def is_running(self) -> bool:
        """True if the process runs, even if it was started by a local cloud that has crashed."""
        return holder(self._pid_file) is not None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that this object started; None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the process and all that it started, even if a crash left them running.

        Args:
            at_once: Kill it without a SIGTERM first, so it cannot save its data.

        Raises:
            LocalCloudError: The process does not stop, or its pid file names another process.
        """
        pid = holder(self._pid_file)
        if pid is None:
            self._reap()
            return
        if pid in (os.getpid(), os.getpgrp()):
            # The parent was killed before it wrote the pid of the child.
            raise LocalCloudError(
                f"{self.title} cannot be stopped, because its pid file {self._pid_file} names "
                f"another process: kill the process that `lsof {self._pid_file}` lists"
            )
        if not at_once:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_for_end(self._pid_file, self._patience_s)
        # Kill the rest of its group: processes that did not stop, and those it left behind.
        _signal_group(pid, signal.SIGKILL)
        if not wait_for_end(self._pid_file, KILLED_S):
            raise LocalCloudError(
                f"{self.title} (pid {pid}) still runs after SIGKILL: kill the process that "
                f"`lsof {self._pid_file}` lists, or restart the machine"
            )
        self._reap()

    def _reap(self) -> None:
        """Wait for the exit code, so that no zombie stays; the pid file is released already."""
        if self._process:
            self._process.wait()


def new_log(path: Path) -> BinaryIO:
    """Open an empty log file; rename the log of the previous run to `….log.1`."""
    with suppress(FileNotFoundError):
        path.replace(f"{path}.1")
    return path.open("wb")


@contextmanager
def interrupted_once() -> Iterator[Callable[[], None]]:
    """In the block, raise KeyboardInterrupt at the first SIGINT, SIGTERM or SIGHUP.

    Later ones are ignored. Works in the main thread only. Yields a function that makes the block
    ignore all these signals.
    """

    def ignore() -> None:
        for number in STOP:
            signal.signal(number, lambda *_: None)

    def interrupt(*_: object) -> None:
        ignore()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in STOP}
    try:
        yield ignore
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@contextmanager
def deferred(notify: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Defer SIGINT, SIGTERM and SIGHUP until the block ends; works in the main thread only.

    If the block raises an error, the deferred signals are dropped, because the error also stops
    the program's work.

    Args:
        notify: Called when the first signal arrives.
    """
    pending: list[int] = []

    def hear(number: int, _: object) -> None:
        pending.append(number)
        if len(pending) == 1:
            notify()

    before = {number: signal.signal(number, hear) for number in STOP}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
    for came in pending[:1]:
        signal.raise_signal(came)


def wait_for_end(pid_file: Path, patience_s: float) -> bool:
    """Wait until no process holds the lock of a pid file; return False if the wait timed out."""
    deadline = time.monotonic() + patience_s
    while holder(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def wait_for_exit(pid: int, patience_s: float = KILLED_S) -> None:
    """Wait at most `patience_s` for a process to end; it may have ended already."""
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(pid).wait(patience_s)


def command_of(pid: int) -> list[str]:
    """Return the command line of a process; empty if it does not exist or access is denied."""
    try:
        words: list[str] = psutil.Process(pid).cmdline()
    except psutil.Error:
        return []
    return words


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
