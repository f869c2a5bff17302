"""The faults: each is a context manager that breaks a part of the cloud while a run works.

What a fault breaks it mends itself when the block ends. Faults of one group touch the same part, so
a run takes at most one of each group.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import Literal

import pg8000.native
import psutil

from infra.cdk.database import DATABASE
from infra.local.simulators.scenarios_reccobeats import RECCOBEATS
from infra.local.simulators.scenarios_spotify import SPOTIFY
from tests.chaos.scene import Scene
from tests.chaos.world import QUEUES, eventually

Group = Literal[
    "none",
    "burst",
    "postgres",
    "aws",
    "refusal",
    "worker",
    "restart",
    "messages",
    "dead",
    "spotify",
    "reccobeats",
]

FUNCTIONS = ("Collector", "Backfill", "Enricher", "Loader")
LOADER_CONNECTIONS = 10
"""The limit of role loader."""
PRLIMIT = shutil.which("prlimit")
"""A command of Linux; without it no disk is full."""
DISK_BYTES = 128 << 10
"""The size beyond which no file grows on a full disk; the log of Postgres has files of 16 MB."""

# These hide plays that were shown before; a burst of new plays then drops them unseen.
HIDING = frozenset(
    {
        *("empty-window", "shrunken-window", "late-plays", "vanished-plays"),
        *("null-track", "null-id", "local-files"),
    }
)


@dataclass(frozen=True)
class Fault:
    """One way to break the cloud.

    Attributes:
        weight: How often a run chooses it, relative to the others.
        hides: It hides plays.
    """

    name: str
    group: Group
    apply: Callable[[Scene], AbstractContextManager[None]]
    weight: float = 1.0
    hides: bool = False

    @property
    def lock(self) -> str:
        """What at most one run at a time breaks."""
        return "spotify" if self.group == "burst" else self.group


def _meanwhile(
    action: Callable[[Scene], object],
) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault that acts on its own thread while the run works."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        with scene.meanwhile(lambda: action(scene)):
            yield

    return apply


@contextmanager
def _nothing(scene: Scene) -> Iterator[None]:
    yield


@contextmanager
def _burst(scene: Scene) -> Iterator[None]:
    scene.bursts = True
    yield


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _killed(title: str) -> Callable[[Scene], None]:
    def act(scene: Scene) -> None:
        scene.pause()
        for process in scene.world.processes(title)[:1]:
            _kill(process)

    return act


def _frozen(find: Callable[[Scene], list[psutil.Process]]) -> Callable[[Scene], None]:
    """Return a fault that stops processes by SIGSTOP for some seconds."""

    def act(scene: Scene) -> None:
        scene.pause()
        stopped = find(scene)
        try:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            time.sleep(scene.hold_s)
        finally:
            for process in stopped:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    return act


def _server(title: str) -> Callable[[Scene], list[psutil.Process]]:
    # Without the workers of MiniStack: they are a part of their own.
    def find(scene: Scene) -> list[psutil.Process]:
        found = scene.world.processes(title)
        return found if title == "postgres" else found[:1]

    return find


def _worker(scene: Scene) -> list[psutil.Process]:
    """Return the busy or idle workers of one function, once it has any."""
    function = scene.rng.choice(FUNCTIONS)
    found: list[psutil.Process] = eventually(lambda: scene.world.workers(function), 3)
    return found


def _kill_worker(scene: Scene) -> None:
    scene.pause()
    for process in _worker(scene):
        _kill(process)


def _kill_loader_after_commit(scene: Scene) -> None:
    """Kill the loader when a batch is committed, before SQS knows that it is done."""
    count = "SELECT count(*) FROM loaded_batch WHERE listener = :listener"
    with scene.world.database() as database:
        before = database.run(count, listener=scene.listener)
        changed = eventually(
            lambda: database.run(count, listener=scene.listener) != before, 8, every_s=0.002
        )
    if changed:
        for process in scene.world.workers("Loader"):
            _kill(process)


_IN_TRANSACTION = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'loader' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
"""


def _kill_backend(scene: Scene) -> None:
    """Kill a backend of the loader in the middle of a transaction; Postgres restarts all others."""
    with scene.world.database("loader") as database:
        found = eventually(lambda: database.run(_IN_TRANSACTION), 5, every_s=0.002)
        for (pid,) in found or []:
            _kill(psutil.Process(pid))


@contextmanager
def _read_only(scene: Scene) -> Iterator[None]:
    scene.do(lambda: _set_read_only(scene, "on"))
    yield
    scene.do(lambda: _set_read_only(scene, "off"))


def _set_read_only(scene: Scene, value: str) -> None:
    with scene.world.database("migrator") as database:
        # This session too is read-only by default.
        database.run("SET default_transaction_read_only = off")
        database.run(f"ALTER DATABASE {DATABASE} SET default_transaction_read_only = {value}")
    end_loaders(scene)


def end_loaders(scene: Scene) -> None:
    """Cut the connections of the loader, as a failover does, so that new settings apply."""
    with scene.world.database("loader") as database:
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'loader' AND pid <> pg_backend_pid()"
        )


def _exhaust(scene: Scene) -> None:
    """Take all connections that role loader may have."""
    scene.pause()
    end_loaders(scene)
    with ExitStack() as taken:
        for _ in range(LOADER_CONNECTIONS):
            # The loader itself may take one in between.
            with suppress(pg8000.exceptions.DatabaseError):
                taken.enter_context(scene.world.database("loader"))
        time.sleep(scene.hold_s)


def _lock(scene: Scene) -> None:
    """Lock the table of plays against all others, or against writers alone."""
    mode = scene.rng.choice(("ACCESS EXCLUSIVE", "EXCLUSIVE"))
    with scene.world.database("loader") as database:
        database.run("BEGIN")
        database.run(f"LOCK TABLE listening_history IN {mode} MODE")
        time.sleep(scene.hold_s)
        database.run("ROLLBACK")


def _full_disk(title: str) -> Callable[[Scene], None]:
    """Return a fault in which a server's files cannot grow: a limit of their size, without root."""

    def act(scene: Scene) -> None:
        scene.pause()
        limited = scene.world.processes(title)
        try:
            _limit(limited, str(DISK_BYTES))
            time.sleep(scene.hold_s)
        finally:
            # Also the processes that were started meanwhile inherited the limit.
            _limit([*limited, *scene.world.processes(title)], "unlimited")

    return act


def _limit(processes: list[psutil.Process], most: str) -> None:
    """Limit the size of files of those processes that have not ended.

    Raises:
        PermissionError: No limit could be changed.
    """
    codes = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            # As the process's own user: for root, Postgres runs as another one, and root may change
            # limits of others only with a right that containers lack.
            other = process.uids().real
            done = subprocess.run(  # noqa: S603 - the command is ours
                [str(PRLIMIT), f"--pid={process.pid}", f"--fsize={most}:"],
                user=None if other == os.getuid() else other,
                check=False,
                stderr=subprocess.DEVNULL,
            )
            codes.append(done.returncode)
    if codes and all(codes):
        raise PermissionError("no limit could be changed")


def _between(mode: Literal["refuse", "stall"]) -> Callable[[Scene], None]:
    """Return a fault between the loader and Postgres."""

    def act(scene: Scene) -> None:
        scene.pause()
        proxy = scene.world.proxy
        proxy.mode = mode
        if mode == "refuse":
            proxy.cut()
        try:
            time.sleep(scene.hold_s)
        finally:
            proxy.mode = "pass"

    return act


def _cut(scene: Scene) -> None:
    """Reset the loader's connections again and again."""
    until = time.monotonic() + scene.hold_s
    while time.monotonic() < until:
        time.sleep(scene.rng.uniform(0.02, 0.3))
        scene.world.proxy.cut()


def _shuffled(queue: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault that delivers the messages of a queue twice, in another order."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        scene.do(lambda: scene.world.consume(queue, enabled=False))
        yield
        if not scene.crashed:
            scene.do(lambda: scene.shuffle(queue))
        scene.do(lambda: scene.world.consume(queue, enabled=True))

    return apply


def _queue_refuses(queue: str) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault in which no function may send to a queue."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        url = scene.world.queue_url(queue)
        names = ["Policy", "QueueArn"]

        def read() -> dict[str, str]:
            answer = scene.world.aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
            return dict(answer["Attributes"])

        def write(policy: str) -> None:
            sqs = scene.world.aws("sqs")
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

        given = scene.do(read)
        refusing = _with_refusal(given["Policy"], "sqs:SendMessage", given["QueueArn"])
        scene.do(lambda: write(refusing))
        yield
        scene.do(lambda: write(given["Policy"]))

    return apply


@contextmanager
def _archive_refuses(scene: Scene) -> Iterator[None]:
    """Let no function store the answer of a poll, or the unreadable rows of an upload."""
    bucket = scene.world.bucket
    names = [f"arn:aws:s3:::{bucket}/{prefix}/*" for prefix in ("polls", "quarantine")]

    def read() -> str:
        return str(scene.world.aws("s3").get_bucket_policy(Bucket=bucket)["Policy"])

    def write(policy: str) -> None:
        scene.world.aws("s3").put_bucket_policy(Bucket=bucket, Policy=policy)

    given = scene.do(read)
    scene.do(lambda: write(_with_refusal(given, "s3:PutObject", names)))
    yield
    scene.do(lambda: write(given))


def _with_refusal(policy: str, action: str, resource: str | list[str]) -> str:
    document = json.loads(policy)
    refusal = {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}
    return json.dumps({**document, "Statement": [*document["Statement"], refusal]})


def _restarted(stop: Callable[[Scene], None]) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        starts = scene.world.starts
        with scene.meanwhile(lambda: stop(scene)):
            yield
        scene.wait_until_ended(starts)
        scene.require_up()

    return apply


def _ctrl_c(scene: Scene) -> None:
    scene.pause()
    pid = scene.world.pid("supervisor")
    if pid:
        os.kill(pid, signal.SIGINT)


def _down(scene: Scene) -> None:
    scene.pause()
    # No other run starts the cloud while the command stops it.
    with scene.world.starting:
        scene.world.down()


@contextmanager
def _dead_letters(scene: Scene) -> Iterator[None]:
    """Keep the database read-only until a message that it refuses is a dead letter."""
    with _read_only(scene):
        yield
        eventually(lambda: scene.depth("enriched-plays", dead=True), 25)


@contextmanager
def _replay_killed(scene: Scene) -> Iterator[None]:
    with _dead_letters(scene):
        yield
    process = scene.world.start_plays("dlq", "replay", "enriched-plays")
    with suppress(subprocess.TimeoutExpired):
        process.wait(scene.rng.uniform(0.8, 2.5))
    process.kill()
    process.wait()


@contextmanager
def _two_replays(scene: Scene) -> Iterator[None]:
    with _dead_letters(scene):
        yield
    processes = [scene.world.start_plays("dlq", "replay", "enriched-plays") for _ in range(2)]
    for process in processes:
        process.wait()


def _scenario(simulator: str, name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    # The usual 20 s would make the run wait longer than its functions live.
    quick = {"hangs": {"hang_s": 3}, "reccobeats-hangs": {"hang_s": 3}}

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        wish = {"name": name, **quick.get(name, {})}
        scene.do(lambda: scene.world.control(simulator, "scenario", wish))
        yield
        scene.do(lambda: scene.plays("local", "scenario", "normal"))

    return apply


def _clock(ahead_s: int) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        scene.do(lambda: scene.move_clock(ahead_s))
        yield
        scene.do(lambda: scene.move_clock(0))

    return apply


def _all() -> Iterator[Fault]:
    yield Fault("none", "none", _nothing, 0)
    yield Fault("burst", "burst", _burst, 4)
    yield Fault("postgres-killed", "postgres", _meanwhile(_killed("postgres")))
    yield Fault("backend-killed", "postgres", _meanwhile(_kill_backend))
    yield Fault("postgres-frozen", "postgres", _meanwhile(_frozen(_server("postgres"))))
    yield Fault("database-read-only", "postgres", _read_only)
    yield Fault("connections-exhausted", "postgres", _meanwhile(_exhaust))
    yield Fault("table-locked", "postgres", _meanwhile(_lock))
    yield Fault("postgres-refuses", "postgres", _meanwhile(_between("refuse")))
    yield Fault("postgres-stalls", "postgres", _meanwhile(_between("stall")))
    yield Fault("connections-cut", "postgres", _meanwhile(_cut))
    yield Fault("worker-killed", "worker", _meanwhile(_kill_worker), 2)
    yield Fault("loader-killed-after-commit", "worker", _meanwhile(_kill_loader_after_commit), 2)
    yield Fault("worker-frozen", "worker", _meanwhile(_frozen(_worker)))
    yield Fault("ministack-frozen", "aws", _meanwhile(_frozen(_server("ministack"))))
    yield Fault("supervisor-frozen", "aws", _meanwhile(_frozen(_server("supervisor"))))
    yield Fault("simulators-frozen", "aws", _meanwhile(_frozen(_server("simulators"))))
    if PRLIMIT:
        yield Fault("postgres-disk-full", "postgres", _meanwhile(_full_disk("postgres")))
        yield Fault("ministack-disk-full", "aws", _meanwhile(_full_disk("ministack")))
    yield Fault("archive-refuses", "refusal", _archive_refuses)
    for queue in QUEUES[1:]:
        yield Fault(f"{queue}-refuses", "refusal", _queue_refuses(queue))
    for queue in QUEUES:
        yield Fault(f"{queue}-doubled-and-reordered", "messages", _shuffled(queue))
    yield Fault("ministack-killed", "restart", _restarted(_killed("ministack")), 0.2)
    yield Fault("supervisor-killed", "restart", _restarted(_killed("supervisor")), 0.2)
    yield Fault("ctrl-c", "restart", _restarted(_ctrl_c), 0.2)
    yield Fault("down-and-up", "restart", _restarted(_down), 0.2)
    yield Fault("replay-killed", "dead", _replay_killed, 0.2)
    yield Fault("two-replays", "dead", _two_replays, 0.3)
    yield Fault("clock-ahead", "spotify", _clock(7_200))
    yield Fault("clock-back", "spotify", _clock(-600))
    for name in SPOTIFY:
        yield Fault(name, "spotify", _scenario("spotify", name), 0.15, hides=name in HIDING)
    for name in RECCOBEATS:
        yield Fault(name, "reccobeats", _scenario("reccobeats", name), 0.15)


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
