"""The clock of a simulator, which a test can move ahead of the true time."""

from datetime import datetime, timedelta

from werkzeug import Request, Response

from infra.local.simulators.refusals import api_error
from infra.local.simulators.server import CONTROL, Answer, Clock, json_response
from shared.models import iso


class MovableClock:
    """A clock that a test can move, for example by half a year."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Return the simulated time, in UTC."""
        return self._clock() + self._ahead

    def routes(self) -> dict[str, Answer]:
        """Return the routes of the control paths."""
        return {f"GET {CONTROL}clock": self._show, f"POST {CONTROL}clock": self._move}

    def _show(self, _: Request) -> Response:
        """Answer with the simulated time, and how far ahead it is."""
        return json_response({"now": iso(self()), "ahead_s": self._ahead // timedelta(seconds=1)})

    def _move(self, request: Request) -> Response:
        """Set how far ahead of the true time this clock is: `{"ahead_s": N}`."""
        try:
            ahead = timedelta(seconds=int(request.get_json()["ahead_s"]))
            iso(self._clock() + ahead)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            return api_error(400, f"ahead_s must be a number of seconds: {error!r}")
        self._ahead = ahead
        return self._show(request)
