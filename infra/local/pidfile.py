"""Pid files: a process holds a lock on its file until it dies.

The kernel releases the lock when the process dies. So a file that a crash left behind is
recognized, and another process with the same pid is never mistaken for ours.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WRITTEN_S = 2.0
"""Time in which a process that locked its file writes its pid; it needs microseconds."""


def holder(path: Path) -> int | None:
    """Return the pid in a pid file that a process has locked; None if no process has locked it.

    Raises:
        BlockingIOError: The file is locked, and its process writes no pid into it.
    """
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid_in(file)
    finally:
        os.close(file)
    return None


def _pid_in(file: int) -> int:
    """Return the pid that a process writes just after it has locked the file."""
    deadline = time.monotonic() + WRITTEN_S
    while not (text := os.pread(file, 20, 0)):
        if time.monotonic() > deadline:
            raise BlockingIOError("a process has locked the pid file and has written no pid")
        time.sleep(WRITTEN_S / 100)
    return int(text)


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Lock a pid file and write this process's pid to it; yield its descriptor.

    A child that inherits the descriptor keeps the lock when the block is left.

    Raises:
        BlockingIOError: Another process has locked the file.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name(file, os.getpid())
        yield file
    finally:
        os.close(file)


def name(file: int, pid: int) -> None:
    """Write a pid to an open pid file, in place of its content."""
    os.ftruncate(file, 0)
    os.pwrite(file, str(pid).encode(), 0)
