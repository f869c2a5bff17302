"""Faults that end the cloud; the run starts it again."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.chaos.scene import Scene


def restarted(stop: Callable[[Scene], None]) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        starts = scene.world.starts
        with scene.meanwhile(lambda: stop(scene)):
            yield
        scene.wait_until_ended(starts)
        scene.require_up()

    return apply


def ctrl_c(scene: Scene) -> None:
    scene.pause()
    pid = scene.world.pid("supervisor")
    if pid:
        os.kill(pid, signal.SIGINT)


def down(scene: Scene) -> None:
    scene.pause()
    # No other run starts the cloud while the command stops it.
    with scene.world.starting:
        scene.world.down()
