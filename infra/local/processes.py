"""Child processes: each leads its own group and holds a pid file, so any process can stop it."""

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
"""The signals that ask for a stop."""
POLL_S = 0.05
KILLED_S = 5
"""How long a killed process may take to end."""


class Child:
    """One background process, identified by the file `<title>.pid` in its home.

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
        """Start it in a session of its own, so that a Ctrl-C in the terminal does not reach it.

        Args:
            command: The program and its arguments.
            environment: Its whole environment.
            cwd: Its working directory; the home by default.
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
        """Run it to its end, kill what it left running, and return its exit code.

        Raises:
            subprocess.TimeoutExpired: It took too long and was killed.
        """
        try:
            return self.start(command, environment, cwd).wait(timeout_s)
        finally:
            self.stop(at_once=True)

    @property
    def is_running(self) -> bool:
        """True if it runs, even if an earlier run left it behind."""
        return holder(self._pid_file) is not None

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that this object started; None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self, *, at_once: bool = False) -> None:
        """Stop it with all processes that it started, even if an earlier run left it behind.

        Args:
            at_once: Kill it, so it cannot save its state.

        Raises:
            LocalCloudError: It does not stop, or its pid is unknown.
        """
        pid = holder(self._pid_file)
        if pid is None:
            self._reap()
            return
        if pid in (os.getpid(), os.getpgrp()):
            # The parent was killed before it wrote the pid of the child.
            raise LocalCloudError(f"{self.title} runs, but its pid is not known: {self._pid_file}")
        if not at_once:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_for_end(self._pid_file, self._patience_s)
        # Kill the rest of its group: processes that did not stop, and those it left behind.
        _signal_group(pid, signal.SIGKILL)
        if not wait_for_end(self._pid_file, KILLED_S):
            raise LocalCloudError(f"{self.title} (pid {pid}) does not stop")
        self._reap()

    def _reap(self) -> None:
        """Wait for the exit code, so that no zombie stays; the pid file is released already."""
        if self._process:
            self._process.wait()


def new_log(path: Path) -> BinaryIO:
    """Open an empty log; the one of the run before stays beside it as `….log.1`."""
    with suppress(FileNotFoundError):
        path.replace(f"{path}.1")
    return path.open("wb")


@contextmanager
def interrupted_once() -> Iterator[Callable[[], None]]:
    """Let the first signal to stop raise KeyboardInterrupt in the block, and ignore later ones.

    Works in the main thread only. Yields a function after whose call all such signals are ignored.
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
    """Defer signals to stop until the block is left; works in the main thread only.

    If the block fails, its error is raised instead of the signal, because either ends the work.

    Args:
        notify: Called by the first signal.
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
    """Wait until no process holds a pid file; False if the wait timed out."""
    deadline = time.monotonic() + patience_s
    while holder(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def wait_for_exit(pid: int, patience_s: float = KILLED_S) -> None:
    """Wait for a process that is about to end; it may be gone already."""
    with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
        psutil.Process(pid).wait(patience_s)


def command_of(pid: int) -> list[str]:
    """Return the command line of a process; empty if it does not exist or may not be seen."""
    try:
        words: list[str] = psutil.Process(pid).cmdline()
    except psutil.Error:
        return []
    return words


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
