"""Many plays under fire: uploads while the schedule polls and faults are injected.

Prints the time, the rows, the peak memory of each process, and the redeliveries.
"""

import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Self

import psutil

from infra.local.sample_history import write_history_zip
from tests.chaos import checks
from tests.chaos.faults import FAULTS
from tests.chaos.feed import Spotify
from tests.chaos.run import Outcome
from tests.chaos.scene import Scene
from tests.chaos.truth import Export, Heard, read_export
from tests.chaos.world import NAME, QUEUES, World, eventually, new_home, reserve_ports

LISTENER = "me"
PLAYS_PER_FILE = 100_000
FREEZE_S = 20
PAUSE_S = 15
"""Seconds between two faults."""
POSTGRES_DEATHS = 4
"""The supervisor starts Postgres again five times, then it ends with an error."""
SAMPLED_S = 0.5
FAILED = f"failed processing SQS batch from {NAME}-([a-z-]+)"
"""What MiniStack logs of an invocation that failed, was killed or timed out."""

SETTINGS = {
    "polling_enabled": "true",
    "backfill.timeout_s": "180",
    "backfill.visibility_s": "180",
    "backfill.max_receives": "10",
    "enricher.timeout_s": "30",
    "enricher.visibility_s": "30",
    "enricher.max_receives": "10",
    "loader.timeout_s": "30",
    "loader.visibility_s": "30",
}
INJECTED = (
    *("worker-killed", "loader-killed-after-commit", "worker-frozen", "backend-killed"),
    *("postgres-killed", "postgres-frozen", "table-locked", "connections-cut"),
    *("postgres-refuses", "connections-exhausted", "ministack-frozen", "database-read-only"),
    *("enriched-plays-doubled-and-reordered", "collected-plays-doubled-and-reordered"),
    *("enriched-plays-refuses", "rate-limited", "bad-gateway", "reccobeats-down"),
)
DEADLY = ("postgres-killed", "backend-killed")


class Memory:
    """The greatest memory that each kind of process has had, in MB."""

    def __init__(self, world: World) -> None:
        self.peaks: dict[str, int] = defaultdict(int)
        self._world = world
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLED_S):
            for title in ("supervisor", "simulators", "postgres", "ministack"):
                for process in self._world.processes(title):
                    self._note(title, process)

    def _note(self, title: str, process: psutil.Process) -> None:
        try:
            words, size = " ".join(process.cmdline()), process.memory_info().rss
        except psutil.Error:
            return
        worker = re.search("-Functions([A-Z][a-z]+)Function", words)
        name = f"worker: {worker[1]}" if worker else title
        self.peaks[name] = max(self.peaks[name], size // 2**20)


def load(plays: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """Upload plays while faults are injected; return what is wrong in the end."""
    rng = Random(f"load/{seed}")  # noqa: S311 - repeatable on purpose
    world = World(new_home(), [LISTENER], SETTINGS)
    reserve_ports(world.home)
    started = time.monotonic()
    outcome = Outcome(seed, [f"load of {plays:,}"], LISTENER)
    try:
        world.up()
        scene = Scene(world, Spotify(), LISTENER, rng, FREEZE_S)
        with Memory(world) as memory:
            began = time.monotonic()
            origins = _upload(world, plays, seed, say)
            injected = _inject_until_loaded(scene, origins, say)
            loaded_s = time.monotonic() - began
        outcome.faults += injected
        _check(scene, origins, outcome)
        say(f"{outcome.plays:,} rows after {loaded_s:.0f} s")
        say(f"faults: {json.dumps({name: injected.count(name) for name in sorted(set(injected))})}")
        say(f"peak memory in MB: {json.dumps(dict(sorted(memory.peaks.items())))}")
        say(f"invocations whose messages came again: {json.dumps(_redeliveries(world))}")
    finally:
        world.close()
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def _upload(world: World, plays: int, seed: int, say: Callable[[str], None]) -> dict[str, Export]:
    """Upload exports of people with different tastes, years apart; return what each holds."""
    origins = {}
    for number in range(-(-plays // PLAYS_PER_FILE)):
        path = world.home.parent / f"export-{number}.zip"
        until = datetime(2025, 1, 1, tzinfo=UTC) - timedelta(days=200 * number)
        rows = min(PLAYS_PER_FILE, plays - number * PLAYS_PER_FILE)
        write_history_zip(
            path, plays=rows, seed=seed + number, until=until, since=until - timedelta(days=190)
        )
        body = path.read_bytes()
        path.unlink()
        origins[world.put(f"history/{LISTENER}/export-{number}.zip", body)] = read_export(
            path.name, body
        )
        say(f"uploaded {rows:,} rows")
    return origins


def _inject_until_loaded(
    scene: Scene, origins: dict[str, Export], say: Callable[[str], None]
) -> list[str]:
    """Inject one fault after the other until everything is loaded; return their names."""
    injected: list[str] = []
    begun = time.monotonic()
    while not _is_loaded(scene, origins):
        names = [
            name
            for name in INJECTED
            if name not in DEADLY or sum(map(injected.count, DEADLY)) < POSTGRES_DEATHS
        ]
        name = scene.rng.choice(names)
        scene.hold_s = scene.rng.uniform(FREEZE_S / 5, FREEZE_S)
        with ExitStack() as acting:
            acting.enter_context(FAULTS[name].apply(scene))
            time.sleep(3)
        injected.append(name)
        batches = scene.loaded_batches()
        say(f"{time.monotonic() - begun:6.0f} s  {batches:>5} batches loaded, after {name}")
        eventually(lambda: _is_loaded(scene, origins), PAUSE_S, every_s=1)
        scene.do(scene.world.replay)
    return injected


def _is_loaded(scene: Scene, origins: dict[str, Export]) -> bool:
    complete = scene.do(lambda: checks.complete_uploads(scene.world, LISTENER))
    return origins.keys() <= complete


def _check(scene: Scene, origins: dict[str, Export], outcome: Outcome) -> None:
    def polled() -> set[Heard]:
        before = scene.spotify.added_until(scene.now())
        if scene.world.poll(LISTENER).get("status") != "polled":
            return set()
        return before & set(scene.spotify.shown(scene.now()))

    must = scene.do(lambda: eventually(polled, 120, every_s=2))
    eventually(lambda: not any(scene.depth(queue) for queue in QUEUES), 120, every_s=1)
    exported: dict[Heard, int] = {}
    for held in origins.values():
        for heard, ms_played in held.plays.items():
            exported[heard] = max(ms_played, exported.get(heard, 0))
    since = scene.started_at - timedelta(hours=2)
    may = scene.spotify.played(since, scene.now())
    fed = checks.Fed(exported, must, may, must, origins)
    outcome.plays, problems = checks.check(scene.world, LISTENER, fed)
    problems |= checks.check_cloud(scene.world)
    outcome.problems = {kind: found for kind, found in problems.items() if found}


def _redeliveries(world: World) -> dict[str, int]:
    """Count the invocations by queue that failed, so that SQS delivered their messages again."""
    failed = re.findall(FAILED, (world.home / "logs" / "ministack.log").read_text())
    return dict(sorted(Counter(failed).items()))
