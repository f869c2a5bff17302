"""The active scenarios, the clock and the block of a simulator.

A block is the time after a 429 in which the simulator refuses all calls.

`POST /_control/scenario` takes `{"name": NAME}` and optionally `times` (number of requests it
applies to), `for_s` (seconds that it lasts, on the simulator's clock), the scenario's parameters,
and `"also": true`, which keeps the active scenarios.
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug import Request, Response

from infra.local.simulators.refusals import api_error
from infra.local.simulators.scenarios import NORMAL, Act, ActiveScenarios, Scenario, Table
from infra.local.simulators.server import CONTROL, Answer, Clock, json_response
from shared.faults import faults_of
from shared.models import iso

StagedAnswer = Callable[..., Response]
"""Takes the active scenarios, the request, and the parts of the path that its route names."""

MOST = 365 * 24 * 3_600
"""The greatest parameter: a year in seconds."""

_Number = Annotated[int, Field(ge=0, le=MOST)]
_Positive = Annotated[int, Field(ge=1, le=MOST)]


class Order(BaseModel):
    """The body of a request to switch a scenario on; other fields are the scenario's parameters."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, _Number]

    name: str
    also: bool = False
    times: _Positive | None = None
    for_s: _Positive | None = None


class Stage:
    """The active scenarios of one simulator, its clock, and its block.

    After a 429 with `Retry-After` all calls are refused, and each restarts the block.

    Source:
        Users of Spotify report that a call during a block restarted it at full length.
    """

    def __init__(self, table: Table, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta()
        self._table = {NORMAL: Scenario("All is normal."), **table}
        self._lock = threading.Lock()
        self._acts: tuple[Act, ...] = ()
        self._on_begin: dict[str, Callable[[], None]] = {}
        self._block: tuple[datetime, timedelta, Response] | None = None
        self._blocked_calls = 0

    def now(self) -> datetime:
        """Return the simulated time, in UTC, which a test may have moved ahead."""
        return self._clock() + self._ahead

    def on_begin(self, path: str, action: Callable[[], None]) -> None:
        """Call `action` whenever a scenario for this path is switched on."""
        self._on_begin[path] = action

    def guard(self, answer: StagedAnswer, *, is_blocked: bool = True) -> Answer:
        """Return a function that calls `answer` unless a block or scenario answers instead.

        Args:
            answer: Returns the simulator's normal answer.
            is_blocked: Refuse requests during a block; if False, only count them.
        """

        def guarded(request: Request, **parts: Any) -> Response:
            refusal = self._blocked(prolong=is_blocked)
            if refusal and is_blocked:
                return refusal
            active, replaced = self._enter(request.path)
            time.sleep(active.parameter("hang_s", 0))
            response = replaced or answer(active, request, **parts)
            if is_blocked and response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                self._begin_block(response)
            return response

        return guarded

    def routes(self) -> dict[str, Answer]:
        """Return the routes of the control paths."""
        return {
            f"GET {CONTROL}scenario": self._show,
            f"POST {CONTROL}scenario": self._switch,
            f"GET {CONTROL}blocked_calls": self._show_blocked_calls,
            f"GET {CONTROL}clock": self._show_clock,
            f"POST {CONTROL}clock": self._move_clock,
        }

    def _enter(self, path: str) -> tuple[ActiveScenarios, Response | None]:
        """Return the scenarios that match a request, and the answer of the first that has one."""
        now = self.now()
        # One request at a time, so that concurrent requests cannot exceed a quota.
        with self._lock:
            acts = [act for act in self._current(now) if path.startswith(act.scenario.path)]
            answers = [act.scenario.answer(act, now) for act in acts]
            for act, answer in zip(acts, answers, strict=True):
                act.times = None if act.times is None else act.times - 1
                if answer is None:
                    act.passed.append(now)
        return ActiveScenarios(tuple(acts), now), next(filter(None, answers), None)

    def _current(self, now: datetime) -> tuple[Act, ...]:
        """Drop the scenarios that are over, and return the others."""
        self._acts = tuple(
            act
            for act in self._acts
            if act.times != 0 and (act.ends_at is None or now < act.ends_at)
        )
        return self._acts

    def _blocked(self, *, prolong: bool) -> Response | None:
        """Return the refusal of a call during a block, and count the call."""
        with self._lock:
            now = self.now()
            if self._block is None or now >= self._block[0]:
                return None
            _, length, refusal = self._block
            self._blocked_calls += 1
            if prolong:
                self._block = now + length, length, refusal
            return Response(refusal.get_data(), refusal.status_code, refusal.headers)

    def _begin_block(self, refusal: Response) -> None:
        """Begin a block that lasts the seconds in `Retry-After`; 0 without that header."""
        length = timedelta(seconds=refusal.headers.get("Retry-After", type=int, default=0))
        with self._lock:
            self._block = self.now() + length, length, refusal

    def _show(self, _: Request) -> Response:
        """Answer with the latest scenario, and with all active ones."""
        with self._lock:
            acts = [_document(act) for act in self._current(self.now())]
        return json_response({"name": acts[-1]["name"] if acts else NORMAL, "scenarios": acts})

    def _show_blocked_calls(self, _: Request) -> Response:
        """Answer with the number of calls during blocks."""
        return json_response({"blocked_calls": self._blocked_calls})

    def _switch(self, request: Request) -> Response:
        """Switch a scenario on, and end the block."""
        try:
            order = Order.model_validate(request.get_json())
        except ValidationError as error:
            return api_error(400, f"bad scenario: {faults_of(error)[0]}")
        if complaint := self._complaint(order):
            return api_error(400, complaint)
        act = self._act(order)
        with self._lock:
            kept = self._acts if order.also else ()
            self._acts = kept if order.name == NORMAL else (*kept, act)
            self._block = None
        if action := self._on_begin.get(act.scenario.path):
            action()
        return self._show(request)

    def _show_clock(self, _: Request) -> Response:
        """Answer with the simulated time, and how far ahead it is."""
        ahead_s = self._ahead // timedelta(seconds=1)
        return json_response({"now": iso(self.now()), "ahead_s": ahead_s})

    def _move_clock(self, request: Request) -> Response:
        """Set how far ahead of the true time this clock is: `{"ahead_s": N}`."""
        self._ahead = timedelta(seconds=request.get_json()["ahead_s"])
        return self._show_clock(request)

    def _act(self, order: Order) -> Act:
        scenario, now = self._table[order.name], self.now()
        return Act(
            name=order.name,
            scenario=scenario,
            began_at=now,
            parameters={**scenario.parameters, **order.__pydantic_extra__},
            times=order.times,
            ends_at=None if order.for_s is None else now + timedelta(seconds=order.for_s),
        )

    def _complaint(self, order: Order) -> str | None:
        """Return an error message if the scenario or a parameter is unknown, else None."""
        if order.name not in self._table:
            return f"there is no scenario {order.name}: use one of {', '.join(self._table)}"
        known = self._table[order.name].parameters
        if unknown := sorted(set(order.__pydantic_extra__) - set(known)):
            takes = ", ".join(("times", "for_s", *known))
            return f"{order.name} has no parameter {unknown[0]}: it takes {takes}"
        return None


def _document(act: Act) -> dict[str, Any]:
    return {
        "name": act.name,
        "parameters": act.parameters,
        "began_at": iso(act.began_at),
        "ends_at": act.ends_at and iso(act.ends_at),
        "times_left": act.times,
    }
