"""The faults: each is a context manager that breaks a part of the cloud while a run works.

What a fault breaks it mends itself when the block ends. Faults of one group touch the same part, so
a run takes at most one of each group.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from random import Random

from infra.local.simulators.scenarios_reccobeats import RECCOBEATS
from infra.local.simulators.scenarios_spotify import SPOTIFY
from tests.chaos.faults import database, dead_letters, messages, sources
from tests.chaos.faults.fault import Fault, meanwhile
from tests.chaos.faults.processes import (
    PRLIMIT,
    frozen,
    full_disk,
    kill_worker,
    killed,
    server,
    worker,
)
from tests.chaos.faults.restarts import ctrl_c, down, restarted
from tests.chaos.world import QUEUES


def _all() -> Iterator[Fault]:
    yield Fault("none", "none", lambda _: nullcontext(), 0)
    yield Fault("burst", "burst", sources.burst, 4)
    yield Fault("postgres-killed", "postgres", meanwhile(killed("postgres")))
    yield Fault("backend-killed", "postgres", meanwhile(database.kill_backend))
    yield Fault("postgres-frozen", "postgres", meanwhile(frozen(server("postgres"))))
    yield Fault("database-read-only", "postgres", database.read_only)
    yield Fault("connections-exhausted", "postgres", meanwhile(database.exhaust))
    yield Fault("table-locked", "postgres", meanwhile(database.lock))
    yield Fault("postgres-refuses", "postgres", meanwhile(database.between("refuse")))
    yield Fault("postgres-stalls", "postgres", meanwhile(database.between("stall")))
    yield Fault("connections-cut", "postgres", meanwhile(database.cut))
    yield Fault("worker-killed", "worker", meanwhile(kill_worker), 2)
    yield Fault(
        "loader-killed-after-commit", "worker", meanwhile(database.kill_loader_after_commit), 2
    )
    yield Fault("worker-frozen", "worker", meanwhile(frozen(worker)))
    yield Fault("ministack-frozen", "aws", meanwhile(frozen(server("ministack"))))
    yield Fault("supervisor-frozen", "aws", meanwhile(frozen(server("supervisor"))))
    yield Fault("simulators-frozen", "aws", meanwhile(frozen(server("simulators"))))
    if PRLIMIT:
        yield Fault("postgres-disk-full", "postgres", meanwhile(full_disk("postgres")))
        yield Fault("ministack-disk-full", "aws", meanwhile(full_disk("ministack")))
    yield Fault("archive-refuses", "refusal", messages.archive_refuses)
    for queue in QUEUES[1:]:
        yield Fault(f"{queue}-refuses", "refusal", messages.queue_refuses(queue))
    for queue in QUEUES:
        yield Fault(f"{queue}-doubled-and-reordered", "messages", messages.shuffled(queue))
    yield Fault("ministack-killed", "restart", restarted(killed("ministack")), 0.2)
    yield Fault("supervisor-killed", "restart", restarted(killed("supervisor")), 0.2)
    yield Fault("ctrl-c", "restart", restarted(ctrl_c), 0.2)
    yield Fault("down-and-up", "restart", restarted(down), 0.2)
    yield Fault("replay-killed", "dead", dead_letters.replay_killed, 0.2)
    yield Fault("two-replays", "dead", dead_letters.two_replays, 0.3)
    yield Fault("clock-ahead", "spotify", sources.clock(7_200))
    yield Fault("clock-back", "spotify", sources.clock(-600))
    for name in SPOTIFY:
        yield Fault(
            name, "spotify", sources.scenario("spotify", name), 0.15, hides=name in sources.HIDING
        )
    for name in RECCOBEATS:
        yield Fault(name, "reccobeats", sources.scenario("reccobeats", name), 0.15)


FAULTS = {fault.name: fault for fault in _all()}
"""All faults by name."""


def choose(rng: Random, most: int = 4) -> list[Fault]:
    """Return a random mixture of 1 to `most` faults, of different groups."""
    left = [fault for fault in FAULTS.values() if fault.weight]
    chosen: list[Fault] = []
    for _ in range(rng.randint(1, most)):
        (fault,) = rng.choices(left, [one.weight for one in left])
        chosen.append(fault)
        # A burst drops what another fault has hidden, and no program can know of that.
        excluded = {"burst"} if fault.hides else set()
        left = [
            one
            for one in left
            if one.group not in {fault.group, *excluded}
            and not (one.hides and fault.group == "burst")
        ]
    return chosen
