"""Requests to stop: the first interrupts what is going on, a further one hurries the stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from infra.local.processes import STOP


class Interrupts:
    """Hears SIGINT, SIGTERM and SIGHUP.

    `is_stopping`: there was a request, or none is needed any more; the next ones only hurry.
    `is_hurried`: whoever asked cannot wait.
    """

    def __init__(self) -> None:
        self.is_stopping = False
        self.is_hurried = False
        self._held_back = False
        self._is_holding = False
        self._tell: Callable[[], None] = lambda: None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        """Hear a signal; the first raises KeyboardInterrupt, wherever the program is."""
        if self.is_stopping:
            self.is_hurried = True
        elif self._is_holding and not self._held_back:
            self._held_back = True
            self._tell()
        else:
            self.is_stopping = True
            raise KeyboardInterrupt

    @contextmanager
    def held_back(self, tell: Callable[[], None]) -> Iterator[None]:
        """Let a first request wait until the block is left; a second one interrupts it.

        Args:
            tell: Called by the first one, so that whoever asked knows.
        """
        self._tell = tell
        self._is_holding = True
        try:
            yield
        finally:
            self._is_holding = False
        if self._held_back:
            self._held_back = False
            self.is_stopping = True
            raise KeyboardInterrupt


@contextmanager
def heard() -> Iterator[Interrupts]:
    """Hear requests to stop in the block; works in the main thread only."""
    interrupts = Interrupts()
    before = {number: signal.signal(number, interrupts) for number in STOP}
    try:
        yield interrupts
    finally:
        for number, action in before.items():
            signal.signal(number, action)
