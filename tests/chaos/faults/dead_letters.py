"""Faults that make dead letters, and replays that go wrong."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.chaos.faults.database import read_only
from tests.chaos.scene import Scene
from tests.chaos.world import eventually


@contextmanager
def dead_letters(scene: Scene) -> Iterator[None]:
    """Keep the database read-only until a message that it refuses is a dead letter."""
    with read_only(scene):
        yield
        eventually(lambda: scene.depth("enriched-plays", dead=True), 25)


@contextmanager
def replay_killed(scene: Scene) -> Iterator[None]:
    with dead_letters(scene):
        yield
    process = scene.world.start_plays("dlq", "replay", "enriched-plays")
    with suppress(subprocess.TimeoutExpired):
        process.wait(scene.rng.uniform(0.8, 2.5))
    process.kill()
    process.wait()


@contextmanager
def two_replays(scene: Scene) -> Iterator[None]:
    with dead_letters(scene):
        yield
    processes = [scene.world.start_plays("dlq", "replay", "enriched-plays") for _ in range(2)]
    for process in processes:
        process.wait()
