"""The end of a run, whether by its supervisor or after one that was killed."""

from collections.abc import Callable
from pathlib import Path

from infra.local import consumers, turn
from infra.local.arrivals import count_plays
from infra.local.memory import Memory
from infra.local.parts import Parts


def end(
    home: Path,
    parts: Parts,
    memory: Memory,
    say: Callable[[str], None],
    *,
    is_feeding: bool,
    is_changing: bool,
    is_hurried: Callable[[], bool] = lambda: False,
) -> Memory:
    """Stop the servers, once what they have in work has ended; none of it is for data to delete.

    Half of a change of the deployment is not saved: nothing could go on from it.

    Args:
        home: Folder of the local cloud.
        parts: Its servers.
        memory: What it remembers.
        say: Told what is waited for.
        is_feeding: Whether functions may be at work.
        is_changing: Whether a deployment may go on.
        is_hurried: Whether to wait no longer.

    Returns:
        What it remembers now, which is saved.

    Raises:
        LocalCloudError: One does not stop.
    """
    is_broken_off = is_changing and memory.deployed
    if is_broken_off:
        memory = memory.model_copy(update={"crashed": True})
        memory.save(home)
    elif is_feeding and memory.deployed and not turn.deletes_data(home):
        consumers.pause(memory.aws, say, is_hurried)
        # While Postgres runs: `plays local reset` says later what it would delete.
        memory = memory.model_copy(update={"plays": count_plays(memory.database)})
        memory.save(home)
    parts.stop(discard_change=is_broken_off)
    return memory
