"""A fault: a way to break a part of the cloud while a run works."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

from tests.chaos.scene import Scene

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


def meanwhile(
    action: Callable[[Scene], object],
) -> Callable[[Scene], AbstractContextManager[None]]:
    """Return a fault that acts on its own thread while the run works."""

    @contextmanager
    def apply(scene: Scene) -> Iterator[None]:
        with scene.meanwhile(lambda: action(scene)):
            yield

    return apply
