"""Waiting until Postgres has it, and telling where it is stuck where it has not."""

import time
from collections.abc import Callable
from typing import TypeVar

from cli.errors import CommandError
from cli.queues import QueuePair, depth, depths, name_of, queue_pairs
from cli.target import Target
from shared.errors import DatabaseAwayError
from shared.queries import Reader

PAUSE_S = 0.5
LOOK_S = 5
"""Time between two looks at the queues: on its way from one to the next a message is in none."""

_Answer = TypeVar("_Answer")


class UnfinishedError(CommandError):
    """What was waited for has not come, or never will; it may be stored all the same."""


class Waiting:
    """Waits for what one command sent off, all of it by one deadline.

    Made before anything is sent: what dies from then on counts.

    Args:
        target: Where Postgres and the queues are.
        timeout_s: How long to wait in all, from the call of `begin`.
        look_s: Time between two looks at the queues.
    """

    def __init__(self, target: Target, timeout_s: float, look_s: float = LOOK_S) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._look_s = look_s
        self._sqs = target.client("sqs")
        self._pairs = [pair for pair in queue_pairs(target.outputs) if pair.source_url]
        self._dead_before = {pair.name: self._dead(pair) for pair in self._pairs}
        self._quiet_looks = 0
        self.begin()

    def begin(self) -> None:
        """Start the time, once everything is sent."""
        now = time.monotonic()
        self._deadline, self._next_look = now + self._timeout_s, now + self._look_s

    def wait_for(self, look: Callable[[Reader], _Answer | None], what: str) -> _Answer:
        """Look into Postgres again and again until there is an answer; once at least.

        Postgres may be away for a while: the queues keep what is on its way.

        Raises:
            UnfinishedError: No answer in time, or none to come: messages died, and no more are on
                their way. Tells which queue holds them.
        """
        while True:
            away = None
            try:
                with self._target.database() as database:
                    answer = look(database)
            except DatabaseAwayError as error:
                answer, away = None, error
            if answer is not None:
                return answer
            if died := self._died():
                raise UnfinishedError(f"{what} is not loaded: {died}")
            if time.monotonic() >= self._deadline:
                why = f"Postgres cannot be read: {away}" if away else _stuck(self._target)
                raise UnfinishedError(f"{what} is not loaded after {self._timeout_s:g} s: {why}")
            time.sleep(PAUSE_S)

    def _died(self) -> str | None:
        """Tell what died, if at two looks running some had and nothing was on its way."""
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + self._look_s
        grown = [pair for pair in self._pairs if self._dead(pair) > self._dead_before[pair.name]]
        is_over = grown and not any(
            depth(self._sqs, str(pair.source_url)).total for pair in self._pairs
        )
        self._quiet_looks = self._quiet_looks + 1 if is_over else 0
        if self._quiet_looks < 2:  # noqa: PLR2004 - the counts are estimates
            return None
        # Later files need not wait for two looks of their own.
        self._next_look = 0
        names = ", ".join(name_of(pair.dead_letter_url) for pair in grown)
        replays = " and ".join(f"`plays dlq replay {pair.name}`" for pair in grown)
        return f"messages died and lie in {names}: once the cause is mended, {replays}"

    def _dead(self, pair: QueuePair) -> int:
        return depth(self._sqs, pair.dead_letter_url).total


def _stuck(target: Target) -> str:
    waiting = [f"{depth.total} in {name}" for name, depth in depths(target).items() if depth.total]
    if not waiting:
        return "no queue holds anything, so look into the functions' logs"
    return f"messages: {', '.join(waiting)}; it goes on by itself, but dead letters need a replay"
