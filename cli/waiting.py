"""Wait until uploads or polls are in Postgres; if they do not arrive, say where they are."""

import time
from collections.abc import Callable
from typing import TypeVar

from cli.errors import CommandError
from cli.queues import QueuePair, depth, depths, name_of, queue_pairs
from cli.target import Target
from shared.errors import DatabaseAwayError
from shared.queries import Reader

PAUSE_S = 0.5
CHECK_S = 5
"""Time between two checks of the queues. A message that moves between queues is briefly in none."""

_Answer = TypeVar("_Answer")


class UnfinishedError(CommandError):
    """The awaited plays did not reach Postgres in time, or are dead letters; no play is lost."""


class Waiting:
    """Waits until everything that one command sent is in Postgres, with one deadline for all.

    Create it before sending: it counts the dead letters that arrive from then on.

    Args:
        target: Where Postgres and the queues are.
        timeout_s: Total time to wait, from the call of `begin`.
        check_s: Time between two checks of the queues.
    """

    def __init__(self, target: Target, timeout_s: float, check_s: float = CHECK_S) -> None:
        self._target = target
        self._timeout_s = timeout_s
        self._look_s = check_s
        self._sqs = target.client("sqs")
        self._pairs = [pair for pair in queue_pairs(target.outputs) if pair.source_url]
        self._dead_before = {pair.name: self._dead(pair) for pair in self._pairs}
        self._quiet_checks = 0
        self.begin()

    def begin(self) -> None:
        """Start the timeout; call this once everything is sent."""
        now = time.monotonic()
        self._deadline, self._next_check = now + self._timeout_s, now + self._look_s

    def wait_for(self, fetch: Callable[[Reader], _Answer | None], what: str) -> _Answer:
        """Call `fetch` until it returns a result; at least once.

        Postgres may be unavailable meanwhile, because the queues keep the messages.

        Args:
            fetch: Reads Postgres; returns None while there is no result.
            what: What is awaited, for error messages.

        Raises:
            UnfinishedError: The wait timed out, or messages became dead letters and the queues are
                empty. The error names the queues.
        """
        while True:
            away = None
            try:
                with self._target.database() as database:
                    answer = fetch(database)
            except DatabaseAwayError as error:
                answer, away = None, error
            if answer is not None:
                return answer
            if failure := self._failure():
                raise UnfinishedError(f"{what} is not loaded: {failure}")
            if time.monotonic() >= self._deadline:
                why = f"Postgres is unavailable: {away}" if away else _stuck(self._target)
                raise UnfinishedError(f"{what} is not loaded after {self._timeout_s:g} s: {why}")
            time.sleep(PAUSE_S)

    def _failure(self) -> str | None:
        """Return an error that names new dead letters, once the queues are empty; None before.

        Two checks in a row must find this, because the counts of SQS are estimates.
        """
        if time.monotonic() < self._next_check:
            return None
        self._next_check = time.monotonic() + self._look_s
        grown = [pair for pair in self._pairs if self._dead(pair) > self._dead_before[pair.name]]
        is_over = grown and not any(
            depth(self._sqs, str(pair.source_url)).total for pair in self._pairs
        )
        self._quiet_checks = self._quiet_checks + 1 if is_over else 0
        if self._quiet_checks < 2:  # noqa: PLR2004 - the counts are estimates
            return None
        # The next file need not wait for two checks of its own.
        self._next_check = 0
        names = ", ".join(name_of(pair.dead_letter_url) for pair in grown)
        replays = " and ".join(f"`plays dlq replay {pair.name}`" for pair in grown)
        return (
            f"messages failed and are dead letters in {names}: `plays dlq list` says why; fix the "
            f"cause, then {replays}"
        )

    def _dead(self, pair: QueuePair) -> int:
        return depth(self._sqs, pair.dead_letter_url).total


def wait_for_quiet(target: Target, timeout_s: float) -> int:
    """Wait until two checks in a row find empty queues, or time out; return the messages left."""
    deadline, quiet_checks = time.monotonic() + timeout_s, 0
    while True:
        messages = messages_in_queues(target)
        quiet_checks = 0 if messages else quiet_checks + 1
        # A message that moves between two queues is briefly in none.
        if quiet_checks == 2 or time.monotonic() >= deadline:  # noqa: PLR2004 - see above
            return messages
        time.sleep(PAUSE_S)


def messages_in_queues(target: Target) -> int:
    """Count the messages of all queues, dead letters excluded."""
    sqs = target.client("sqs")
    urls = [str(pair.source_url) for pair in queue_pairs(target.outputs) if pair.source_url]
    return sum(depth(sqs, url).total for url in urls)


def _stuck(target: Target) -> str:
    waiting = [f"{depth.total} in {name}" for name, depth in depths(target).items() if depth.total]
    if not waiting:
        return "the queues are empty, so see the functions' logs"
    return (
        f"messages: {', '.join(waiting)}; loading continues automatically, except that dead "
        "letters need `plays dlq replay`"
    )
