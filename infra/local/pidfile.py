"""Pid files: a process holds a lock on its file until it dies.

The kernel releases the lock when the process dies. So a file that a crash left behind is
recognized, and another process with the same pid is never mistaken for ours.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def holder(path: Path) -> int | None:
    """Return the pid of the process that holds a file; None if no process does.

    Raises:
        BlockingIOError: The process that holds it has not written its pid yet.
    """
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        if text := os.pread(file, 20, 0):
            return int(text)
        raise
    finally:
        os.close(file)
    return None


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Hold a file with this process's pid; yields its descriptor, for children to inherit.

    A child that inherits the descriptor keeps the lock when the block is left.

    Raises:
        BlockingIOError: Another process holds it.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        name(file, os.getpid())
        yield file
    finally:
        os.close(file)


def name(file: int, pid: int) -> None:
    """Write the pid of the process that holds a file."""
    os.ftruncate(file, 0)
    os.pwrite(file, str(pid).encode(), 0)
