"""Waiting until Postgres has it, and telling where it is stuck where it has not."""

import time
from collections.abc import Callable
from typing import TypeVar

from cli.errors import CommandError
from cli.queues import depths
from cli.target import Target
from shared.errors import DatabaseAwayError
from shared.postgres import Database

PAUSE_S = 0.5

_Answer = TypeVar("_Answer")


def wait_for(
    target: Target, look: Callable[[Database], _Answer | None], what: str, timeout_s: float
) -> _Answer:
    """Look into Postgres again and again until there is an answer.

    Postgres may be away for a while: the queues keep what is on its way.

    Raises:
        CommandError: No answer in time; tells how many messages wait in which queues.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        away = None
        try:
            with target.database() as database:
                answer = look(database)
        except DatabaseAwayError as error:
            answer, away = None, error
        if answer is not None:
            return answer
        if time.monotonic() >= deadline:
            why = f"Postgres does not answer: {away}" if away else _stuck(target)
            raise CommandError(f"{what} is not loaded after {timeout_s:g} s: {why}")
        time.sleep(PAUSE_S)


def _stuck(target: Target) -> str:
    waiting = [f"{depth.total} in {name}" for name, depth in depths(target).items() if depth.total]
    if not waiting:
        return "no queue holds anything, so look into the functions' logs"
    return f"messages: {', '.join(waiting)}; it goes on by itself, but dead letters need a replay"
