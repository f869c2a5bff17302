"""Scenarios: ways in which a simulator can be made to misbehave.

A scenario matches requests by their path. It answers them in place of the simulator, or changes the
rows of the simulator's answer, for a number of requests or seconds, or without a limit. `Stage`
switches scenarios on; the tables are in `scenarios_spotify` and `scenarios_reccobeats`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

from werkzeug import Response

NORMAL = "normal"

Row = dict[str, Any]


@dataclass
class Act:
    """An active scenario.

    `times` is the number of requests it still applies to, and `ends_at` its end; None: no limit.
    `passed` holds the times of the requests that it let through, oldest first.
    """

    name: str
    scenario: "Scenario"
    began_at: datetime
    parameters: Mapping[str, int]
    times: int | None = None
    ends_at: datetime | None = None
    passed: list[datetime] = field(default_factory=list)

    def __getitem__(self, parameter: str) -> int:
        """Return the value of a parameter."""
        return self.parameters[parameter]

    def chooses(self, key: str) -> bool:
        """True for about one in `every` keys, chosen by their hash; for none if `every` is 0."""
        return self["every"] > 0 and crc32(key.encode()) % self["every"] == 0


@dataclass(frozen=True)
class Scenario:
    """One way in which a simulator can misbehave; the defaults of the fields change nothing.

    Requests match if their path begins with `path`. `answer` returns a replacement of the
    simulator's answer, or None to keep it; `show` changes the rows of an answer. Both receive the
    active scenario and the time. `parameters` are the names and default values of integers that
    `answer`, `show` and the simulator read.
    """

    summary: str
    path: str = "/v1/"
    answer: Callable[[Act, datetime], Response | None] = lambda *_: None
    show: Callable[[Act, datetime, list[Row]], list[Row]] = lambda _, __, rows: rows
    parameters: Mapping[str, int] = field(default_factory=dict)


Table = Mapping[str, Scenario]


@dataclass(frozen=True)
class ActiveScenarios:
    """The scenarios that match one request, the latest last."""

    acts: tuple[Act, ...]
    now: datetime

    def shown(self, rows: list[Row]) -> list[Row]:
        """Return the rows of an answer after each scenario has changed them."""
        for act in self.acts:
            rows = act.scenario.show(act, self.now, rows)
        return rows

    def parameter(self, name: str, normally: int) -> int:
        """Return the value of a parameter in the latest scenario that has it; else `normally`."""
        values = [act[name] for act in self.acts if name in act.parameters]
        return values[-1] if values else normally
