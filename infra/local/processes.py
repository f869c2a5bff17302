"""Child processes that nothing survives: each leads a group of its own and holds a pid file."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from infra.local.pidfile import held, holder, name

POLL_S = 0.05


class Child:
    """One background process, known by the file `<name>.pid` in its home.

    Args:
        title: What people call it; also names its files.
        home: Where its pid file lies, and its log under `logs/`.
        patience_s: How long it may take to stop by itself.
    """

    def __init__(self, title: str, home: Path, patience_s: float = 10) -> None:
        self.title = title
        self.log = home / "logs" / f"{title}.log"
        self._pid_file = home / f"{title}.pid"
        self._home = home
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it in a session of its own, so that a Ctrl-C in the terminal does not reach it."""
        with held(self._pid_file) as file, self.log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - the command is ours
                command,
                cwd=self._home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[file],
                umask=0o077,
            )
            name(file, self._process.pid)

    @property
    def exit_code(self) -> int | None:
        """How the process that this object started ended; None while it runs."""
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        """Stop it with all that it started; also one that an earlier run left behind.

        The whole group is asked, because MiniStack waits for a running function to the end.
        """
        pid = holder(self._pid_file)
        if pid is None:
            return
        os.killpg(pid, signal.SIGTERM)
        wait_for_end(self._pid_file, self._patience_s)
        # The rest of its group: what would not stop, and what it left behind.
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        wait_for_end(self._pid_file, self._patience_s)
        if self._process:
            self._process.wait()


def wait_for_end(pid_file: Path, patience_s: float) -> bool:
    """Wait until nobody holds a pid file; tell whether that came true in time."""
    deadline = time.monotonic() + patience_s
    while holder(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def run(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, log: Path, timeout_s: float
) -> int:
    """Run a command to its end, adding to a log; leaves nothing running, however it ends.

    Raises:
        subprocess.TimeoutExpired: It took too long and was killed.
    """
    with log.open("ab") as file:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return process.wait(timeout_s)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
