"""Which scenarios of a simulator are on, and the door through which tests and people switch them.

`POST /_control/scenario` takes `{"name": NAME}` and, if wanted, `times` (how many requests it
concerns), `for_s` (seconds that it lasts, on the simulator's clock), the scenario's parameters,
and `"also": true`, which leaves those on that were on before.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug import Request, Response

from infra.local.simulators.ban import Ban
from infra.local.simulators.clock import MovableClock
from infra.local.simulators.refusals import api_error
from infra.local.simulators.scenarios import (
    AS_ALWAYS,
    NORMAL,
    Circumstances,
    Scenario,
    Scene,
    Table,
)
from infra.local.simulators.server import CONTROL, Answer, Clock, json_response
from shared.models import iso

StagedAnswer = Callable[..., Response]
"""Takes the circumstances, the request, and the parts of the path that its route names."""


MOST = 365 * 24 * 3_600
"""The greatest number that a scenario takes: a year, in seconds. Much greater ones are no times."""

_Number = Annotated[int, Field(ge=0, le=MOST)]
_Positive = Annotated[int, Field(ge=1, le=MOST)]


class Wish(BaseModel):
    """A scenario that somebody asks for; further fields are its parameters."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, _Number]

    name: str
    also: bool = False
    times: _Positive | None = None
    for_s: _Positive | None = None


@dataclass
class _Act:
    """A scenario that is on."""

    wish: Wish
    scenario: Scenario
    began_at: datetime
    used: int = 0
    passed: deque[datetime] = field(default_factory=deque)

    @property
    def parameters(self) -> dict[str, int]:
        return {**self.scenario.parameters, **self.wish.__pydantic_extra__}

    def is_on(self, now: datetime) -> bool:
        times, for_s = self.wish.times, self.wish.for_s
        if times is not None and self.used >= times:
            return False
        return for_s is None or now < self.began_at + timedelta(seconds=for_s)

    def scene(self, now: datetime) -> Scene:
        return Scene(now, self.began_at, self.parameters, tuple(self.passed))

    def document(self) -> dict[str, Any]:
        times, for_s = self.wish.times, self.wish.for_s
        ends_at = None if for_s is None else iso(self.began_at + timedelta(seconds=for_s))
        return {
            "name": self.wish.name,
            "parameters": self.parameters,
            "began_at": iso(self.began_at),
            "ends_at": ends_at,
            "times_left": None if times is None else times - self.used,
        }


class Stage:
    """The scenarios of one simulator, its clock, and the ban that a 429 begins."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self.clock = MovableClock(clock)
        self._table = {NORMAL: Scenario("All is as usual."), **table}
        self._ban = Ban(self.clock)
        self._lock = threading.Lock()
        self._acts: tuple[_Act, ...] = ()
        self._orders: dict[str, Callable[[], None]] = {}

    def on_begin(self, path: str, order: Callable[[], None]) -> None:
        """Carry out an order whenever a scenario begins that concerns a path."""
        self._orders[path] = order

    def guard(self, answer: StagedAnswer) -> Answer:
        """Let the scenarios that are on answer first, or tell the answer of them."""

        def guarded(request: Request, **parts: Any) -> Response:
            if not self._acts:
                return answer(AS_ALWAYS, request, **parts)
            circumstances, refusal = self._enter(request)
            time.sleep(circumstances.parameter("hang_s", 0))
            return refusal or answer(circumstances, request, **parts)

        return guarded

    def ration(self, answer: StagedAnswer) -> Answer:
        """Do as `guard`, and make those wait who are told to."""
        return self._ban.guard(self.guard(answer))

    def watch(self, answer: StagedAnswer) -> Answer:
        """Do as `guard`, and count those who come though they are to wait."""
        return self._ban.watch(self.guard(answer))

    def routes(self) -> dict[str, Answer]:
        """Give the routes of the door for tests."""
        return {
            f"GET {CONTROL}scenarios": self._list,
            f"GET {CONTROL}scenario": self._tell,
            f"POST {CONTROL}scenario": self._switch,
            **self._ban.routes(),
            **self.clock.routes(),
        }

    def _enter(self, request: Request) -> tuple[Circumstances, Response | None]:
        """Find the scenarios that concern a request, and ask each whether to refuse it."""
        now = self.clock()
        # One request at a time, so that two at once cannot both be the last within a quota.
        with self._lock:
            acts = [act for act in self._acts_on(now) if request.path.startswith(act.scenario.path)]
            scenes = tuple((act.scenario, act.scene(now)) for act in acts)
            refusals = [scenario.refuse(scene, request) for scenario, scene in scenes]
            for act, refusal in zip(acts, refusals, strict=True):
                act.used += 1
                if refusal is None:
                    act.passed.append(now)
        return Circumstances(scenes), next(filter(None, refusals), None)

    def _acts_on(self, now: datetime) -> tuple[_Act, ...]:
        """Forget the scenarios that are over, and give the others."""
        self._acts = tuple(act for act in self._acts if act.is_on(now))
        return self._acts

    def _list(self, _: Request) -> Response:
        """Answer with every scenario there is."""
        listed = [
            {"name": name, "summary": one.summary, "parameters": one.parameters}
            for name, one in self._table.items()
        ]
        return json_response({"scenarios": listed})

    def _tell(self, _: Request) -> Response:
        """Answer with the scenario switched on last, and with all that are on."""
        with self._lock:
            acts = [act.document() for act in self._acts_on(self.clock())]
        return json_response({"name": acts[-1]["name"] if acts else NORMAL, "scenarios": acts})

    def _switch(self, request: Request) -> Response:
        """Switch a scenario on."""
        try:
            wish = Wish.model_validate(request.get_json())
        except ValidationError as error:
            wrong = error.errors(include_url=False)[0]
            return api_error(
                400, f"bad scenario: {'.'.join(map(str, wrong['loc']))} {wrong['msg']}"
            )
        if complaint := self._complaint(wish):
            return complaint
        with self._lock:
            kept = self._acts if wish.also else ()
            act = _Act(wish, self._table[wish.name], self.clock())
            self._acts = kept if wish.name == NORMAL else (*kept, act)
        if order := self._orders.get(act.scenario.path):
            order()
        self._ban.lift()
        return self._tell(request)

    def _complaint(self, wish: Wish) -> Response | None:
        """Say what there is where a wish names something else."""
        if wish.name not in self._table:
            return api_error(400, f"no scenario {wish.name}: take one of {', '.join(self._table)}")
        known = self._table[wish.name].parameters
        if unknown := sorted(set(wish.__pydantic_extra__) - set(known)):
            there_are = ", ".join(("times", "for_s", *known))
            return api_error(400, f"{wish.name} has no {unknown[0]}: it takes {there_are}")
        return None
