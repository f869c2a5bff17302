"""What a person types or pastes, read so that other things can be waited for meanwhile.

`sys.stdin` reads ahead into a buffer that `select` does not see; this reads the descriptor itself.
"""

import os
import sys
import termios
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_MOST_BYTES = 65_536


class Typed:
    """The lines of a descriptor, by default of stdin."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._rest = b""
        self._lines: deque[str] = deque()
        self.is_open = True

    @property
    def is_terminal(self) -> bool:
        """Whether a person can be asked."""
        return os.isatty(self._fd)

    def fileno(self) -> int:
        """Give the descriptor to wait for."""
        return self._fd

    def lines(self) -> Iterator[str]:
        """Give the lines that were read already."""
        while self._lines:
            yield self._lines.popleft()

    def read(self) -> None:
        """Read what is there; waits if nothing is. At the end it is open no more."""
        read = os.read(self._fd, _MOST_BYTES)
        *lines, self._rest = (self._rest + read).split(b"\n")
        if not read:
            self.is_open, lines, self._rest = False, [self._rest] if self._rest else [], b""
        self._lines += [line.decode(errors="replace").strip() for line in lines]

    def ask(self, question: str) -> str:
        """Ask for one line; empty if there is none to come."""
        sys.stderr.write(question)
        sys.stderr.flush()
        return self.line()

    def ask_hidden(self, question: str) -> str:
        """Ask for one line on a terminal, which does not show it."""
        with self._unseen():
            answer = self.ask(question)
        sys.stderr.write("\n")
        return answer

    def line(self) -> str:
        """Wait for one line; empty if there is none to come."""
        while self.is_open and not self._lines:
            self.read()
        return next(self.lines(), "")

    @contextmanager
    def _unseen(self) -> Iterator[None]:
        before = termios.tcgetattr(self._fd)
        unseen = termios.tcgetattr(self._fd)
        unseen[3] &= ~termios.ECHO
        termios.tcsetattr(self._fd, termios.TCSADRAIN, unseen)
        try:
            yield
        finally:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
