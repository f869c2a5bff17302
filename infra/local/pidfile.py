"""Files that name a living process: the process holds a lock on its file until it dies.

The kernel drops the lock with the process, so a file left behind by a crash is known as such, and
a stranger who got the same pid is never taken for ours.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def holder(path: Path) -> int | None:
    """Tell the pid of the process that holds a file; None if nobody does.

    Raises:
        BlockingIOError: Somebody does who has not yet written a pid.
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
    """Hold a file, named after this process; yields its descriptor, for children to inherit.

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
    """Write who holds a file."""
    os.ftruncate(file, 0)
    os.pwrite(file, str(pid).encode(), 0)
