"""Runs one reader on many inputs: each must end in a value or in a reason, within a time bound."""

import hashlib
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from shared.errors import HistoryError
from tests.fuzz.tape import Tape

Read = Callable[[bytes], None]
"""Reads an input: to return means a value, an error of the target's `reasons` a reason."""

MOST_S = 5
"""Most processor seconds for one input. The slowest real one took 0.2 s."""
TOGETHER = 8
"""Inputs of one example of hypothesis, which takes longer than most readers."""
ROUND = 250
"""Examples of one run of hypothesis, which gets slower with each example."""
FOUND = Path("build/fuzz")


class NoValueError(HistoryError):
    """The reader gave no value, and its answer says so."""


class TooSlowError(Exception):
    """An input took more than MOST_S processor seconds."""


class CrashError(Exception):
    """A reader ended in neither a value nor a reason; the message names the command to repeat."""


@dataclass(frozen=True)
class Target:
    """A reader of foreign bytes."""

    name: str
    make: Callable[[Tape], bytes]
    """Makes an input, mostly a changed real one."""
    open: Callable[[], AbstractContextManager[Read]]
    """Starts what the reader needs, such as a server, and stops it at the end."""
    reasons: tuple[type[HistoryError], ...] = (NoValueError,)
    choices: int = 40
    """Most choices that one input takes; further ones are the first."""


def plain(read: Read) -> Callable[[], AbstractContextManager[Read]]:
    """Return the `open` of a reader that needs nothing."""

    return lambda: nullcontext(read)


@dataclass
class Tally:
    """What became of the inputs of one reader."""

    reader: str
    inputs: int = 0
    values: int = 0
    reasons: int = 0
    seconds: float = 0

    def count(self, *, is_value: bool) -> None:
        self.inputs += 1
        self.values += is_value
        self.reasons += not is_value


def read_one(target: Target, read: Read, content: bytes) -> bool:
    """Read one input; return True for a value, False for a reason, and raise anything else."""
    signal.setitimer(signal.ITIMER_PROF, MOST_S)
    try:
        read(content)
    except target.reasons:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return True


def run(target: Target, *, start: int, seconds: float = 1e9, inputs: int = 10**12) -> Tally:
    """Read inputs until either bound is reached.

    `start` is the seed, `seconds` the time on the wall.

    Raises:
        CrashError: An input crashed the reader.
    """
    tally, began = Tally(target.name), time.monotonic()
    seeds = random.Random(start)  # noqa: S311 - no secret
    signal.signal(signal.SIGPROF, _stop)
    with target.open() as read:
        while tally.seconds < seconds and tally.inputs < inputs:
            most = min(ROUND, -(-(inputs - tally.inputs) // TOGETHER))
            _round(target, read, tally, seeds.randrange(1 << 32), most)
            tally.seconds = time.monotonic() - began
    return tally


def _round(target: Target, read: Read, tally: Tally, start: int, most: int) -> None:
    """Read the inputs of `most` examples, and shrink the first that crashes."""
    last, length, is_crashed = b"", 2 * target.choices, False

    @seed(start)
    @settings(
        max_examples=most, database=None, deadline=None, report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.binary(min_size=TOGETHER * length, max_size=TOGETHER * length))
    def attempt(tapes: bytes) -> None:
        nonlocal last, is_crashed
        for at in range(0, len(tapes), length):
            last = target.make(Tape(tapes[at : at + length]))
            try:
                is_value = read_one(target, read, last)
            except Exception:
                if not is_crashed:
                    sys.stderr.write(f"{_keep(target, last)}\nNow it is made shorter.\n")
                is_crashed = True
                raise
            tally.count(is_value=is_value)

    try:
        attempt()
    except Exception as error:
        raise CrashError(_keep(target, last)) from error


def _keep(target: Target, content: bytes) -> str:
    """Write an input that crashed; return how to repeat the crash."""
    FOUND.mkdir(parents=True, exist_ok=True)
    path = FOUND / f"{target.name}-{hashlib.sha256(content).hexdigest()[:8]}"
    path.write_bytes(content)
    command = f".venv/bin/python -m tests.fuzz {target.name} --input {path}"
    return f"{target.name} crashed. To repeat: {command}"


def _stop(*_: Any) -> None:
    raise TooSlowError(f"more than {MOST_S} s of processor time")
