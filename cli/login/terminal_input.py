"""Read lines that a person types or pastes, from a descriptor that `select` can wait for.

`sys.stdin` would read ahead into a buffer that `select` cannot see.
"""

import os
import sys
import termios
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_BYTES = 65_536


class TerminalInput:
    """Reads lines from a file descriptor, by default that of stdin."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._rest = b""
        self._lines: deque[str] = deque()
        self.is_open = True

    @property
    def is_terminal(self) -> bool:
        """True if the descriptor is a terminal, so that a person can be asked."""
        return os.isatty(self._fd)

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._fd

    def lines(self) -> Iterator[str]:
        """Yield, without waiting, the lines that have been read already."""
        while self._lines:
            yield self._lines.popleft()

    def read(self) -> None:
        """Wait for input and read what is available; at its end, set `is_open` to False."""
        read = os.read(self._fd, _MOST_BYTES)
        *lines, self._rest = (self._rest + read).split(b"\n")
        if not read:
            self.is_open, lines, self._rest = False, [self._rest] if self._rest else [], b""
        self._lines += [line.decode(errors="replace").strip() for line in lines]

    def ask(self, request: str) -> str:
        """Ask for one line on stderr; return "" at the end of the input."""
        sys.stderr.write(request)
        sys.stderr.flush()
        return self.line()

    def ask_hidden(self, request: str) -> str:
        """Ask for one line on a terminal without showing it."""
        with self._echo_off():
            answer = self.ask(request)
        sys.stderr.write("\n")
        return answer

    def line(self) -> str:
        """Wait for one line; return "" at the end of the input."""
        while self.is_open and not self._lines:
            self.read()
        return next(self.lines(), "")

    @contextmanager
    def _echo_off(self) -> Iterator[None]:
        before = termios.tcgetattr(self._fd)
        changed = termios.tcgetattr(self._fd)
        changed[3] &= ~termios.ECHO
        termios.tcsetattr(self._fd, termios.TCSADRAIN, changed)
        try:
            yield
        finally:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
