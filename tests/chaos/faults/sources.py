"""Faults of the simulated Spotify and ReccoBeats, and how much is played."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.chaos.scene import Scene

# These hide plays that were shown before; a burst of new plays then drops them unseen.
HIDING = frozenset(
    {
        *("empty-window", "shrunken-window", "late-plays", "vanished-plays"),
        *("null-track", "null-id", "local-files"),
    }
)


@contextmanager
def burst(scene: Scene) -> Iterator[None]:
    scene.bursts = True
    yield


def scenario(simulator: str, name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    # The usual 20 s would make the run wait longer than its functions live.
    quick = {"hangs": {"hang_s": 3}, "reccobeats-hangs": {"hang_s": 3}}

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        wish = {"name": name, **quick.get(name, {})}
        scene.do(lambda: scene.world.control(simulator, "scenario", wish))
        yield
        scene.do(lambda: scene.plays("local", "scenario", "normal"))

    return apply


def clock(ahead_s: int) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        scene.do(lambda: scene.move_clock(ahead_s))
        yield
        scene.do(lambda: scene.move_clock(0))

    return apply
