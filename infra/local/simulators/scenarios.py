"""Scenarios: what a simulator can be made to do, each a small named rule in a table.

A rule is a pure function of the request, or of the rows that an answer would show, and of a
scene. Which scenarios are on is the `Stage`'s business; the tables are `scenarios_accounts`,
`scenarios_api` and `scenarios_reccobeats`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import Any
from zlib import crc32

from werkzeug import Request, Response

NORMAL = "normal"

Row = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """What a rule is told beside the request.

    `passed` holds when earlier requests passed this rule unrefused, oldest first.
    """

    now: datetime
    began_at: datetime
    parameters: Mapping[str, int]
    passed: tuple[datetime, ...] = ()

    def chooses(self, thing: str) -> bool:
        """Tell whether a thing is one in `every`: always the same ones, and none if it is 0."""
        every = self.parameters["every"]
        return every > 0 and crc32(thing.encode()) % every == 0


Refuse = Callable[[Scene, Request], Response | None]
Show = Callable[[Scene, list[Row]], list[Row]]


def _refuse_nothing(_: Scene, __: Request) -> Response | None:
    return None


def _show_all(_: Scene, rows: list[Row]) -> list[Row]:
    return rows


@dataclass(frozen=True)
class Scenario:
    """One thing that a simulator can be made to do; what is left out stays as always.

    Requests whose path begins with `path` are concerned. `refuse` answers in place of the
    simulator, or lets the request pass by None; `show` changes the rows that an answer shows.
    `parameters` are whole numbers that the rules and the routes read, here with their defaults.
    """

    summary: str
    path: str = "/v1/"
    refuse: Refuse = _refuse_nothing
    show: Show = _show_all
    parameters: Mapping[str, int] = field(default_factory=dict)


Table = Mapping[str, Scenario]


@dataclass(frozen=True)
class Circumstances:
    """The scenarios that concern one request, with the scene of each."""

    scenes: tuple[tuple[Scenario, Scene], ...] = ()

    def shown(self, rows: list[Row]) -> list[Row]:
        """Change the rows that an answer would show."""
        return reduce(lambda rest, pair: pair[0].show(pair[1], rest), self.scenes, rows)

    def parameter(self, name: str, normally: int) -> int:
        """Read a parameter of these scenarios; the one that was switched on last counts."""
        told = (scene.parameters.get(name) for _, scene in reversed(self.scenes))
        return next((value for value in told if value is not None), normally)


AS_ALWAYS = Circumstances()


def refuse_by(refusal: Callable[[], Response]) -> Refuse:
    """Make the rule that gives every request the same refusal."""
    return lambda _, __: refusal()
