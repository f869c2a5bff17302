"""A client that was told to wait, and whether it does."""

import threading
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from werkzeug import Request, Response

from infra.local.simulators.server import CONTROL, Answer, Clock, json_response


class Ban:
    """The time after a 429 with `Retry-After`, in which every call makes it begin anew.

    Source:
        Users of Spotify were blocked again for as long when they probed during a block.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ends_at: datetime | None = None
        self._length = timedelta()
        self._refusal = Response()
        self._blocked_calls = 0

    def guard(self, answer: Answer) -> Answer:
        """Refuse while there is a ban, and begin one where an answer says so."""

        def guarded(request: Request, **parts: Any) -> Response:
            if self._ends_at is not None and (refusal := self._blocked()):
                return refusal
            response = answer(request, **parts)
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                self._begin(response)
            return response

        return guarded

    def watch(self, answer: Answer) -> Answer:
        """Count the calls that come while there is a ban, and let them pass."""

        def watched(request: Request, **parts: Any) -> Response:
            with self._lock:
                self._blocked_calls += self._ends_at is not None and self._clock() < self._ends_at
            return answer(request, **parts)

        return watched

    def lift(self) -> None:
        """End the ban; the calls that met it stay counted."""
        with self._lock:
            self._ends_at = None

    def routes(self) -> dict[str, Answer]:
        """Give the routes of the door for tests."""
        return {f"GET {CONTROL}blocked_calls": self._tell}

    def _begin(self, refusal: Response) -> None:
        """Begin a ban as long as a refusal says; one that names no time begins none."""
        with self._lock:
            retry_after_s = refusal.headers.get("Retry-After", type=int, default=0)
            self._refusal, self._length = refusal, timedelta(seconds=retry_after_s)
            self._ends_at = self._clock() + self._length

    def _blocked(self) -> Response | None:
        """Count a call within the ban and prolong that; None once the ban is over."""
        with self._lock:
            now = self._clock()
            if self._ends_at is None or now >= self._ends_at:
                self._ends_at = None
                return None
            self._blocked_calls += 1
            self._ends_at = now + self._length
            again = self._refusal
            return Response(again.get_data(), again.status_code, again.headers)

    def _tell(self, _: Request) -> Response:
        """Answer with how many calls came though the client had been told to wait."""
        return json_response({"blocked_calls": self._blocked_calls})
