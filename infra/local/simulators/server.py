"""A simulated web service: routes, their answers, and counts of requests."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from waitress.server import create_server
from waitress.wasyncore import close_all
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from infra.local.loopback import is_named, is_of_a_page

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

Answer = Callable[..., Response]
"""Takes the request, and the parts of the path that its route names."""

Clock = Callable[[], datetime]

CONTROL = "/_control/"
"""Paths for tests; they are not counted."""

THREADS = 16
"""Requests answered concurrently; some scenarios let requests hang."""

STOP_S = 1
"""How long a stop waits for requests in progress."""


def wall_clock() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def json_response(body: object, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(json.dumps(body, ensure_ascii=False), status, mimetype="application/json")


class Simulator:
    """A WSGI application whose routes map `"GET /path/<part>"` to a function that answers."""

    def __init__(self, routes: Mapping[str, Answer]) -> None:
        own = {f"GET {CONTROL}requests": self._show_requests}
        self._routes = Map([_rule(route, answer) for route, answer in {**routes, **own}.items()])
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Serve one WSGI request; refuse it if a web page sent it."""
        request = Request(environ)
        response = _refused(request) or self._respond(request)
        if not request.path.startswith(CONTROL):
            with self._lock:
                self._counts[request.path] += 1
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        """Find the route of a request and let it answer."""
        try:
            answer, parts = self._routes.bind_to_environ(request.environ).match()
            response: Response = answer(request, **parts)
        except HTTPException as error:
            status = error.code or 404
            return json_response({"error": {"status": status, "message": error.name}}, status)
        return response

    def _show_requests(self, _: Request) -> Response:
        """Answer with the number of requests by path."""
        with self._lock:
            return json_response({"counts": self._counts})


class Server:
    """A WSGI application that answers on a port, from this object's construction until `stop`.

    Waitress keeps connections open, so a call takes half the time it takes with werkzeug's server.
    """

    def __init__(self, app: "WSGIApplication", host: str, port: int) -> None:
        """Start to listen; port 0 means any free port."""
        self._sockets: dict[int, Any] = {}
        # Any, because `create_server` has no precise type; for one address its result has all of
        # the attributes used here.
        server: Any = create_server(app, host=host, port=port, threads=THREADS, map=self._sockets)
        self._server = server
        self.port: int = self._server.effective_port
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop answering, and close all connections."""
        # The server's thread must close the sockets; it ends once all are closed. If it is awake
        # anyway, it may close its trigger before the trigger is pulled, hence the OSError.
        with suppress(OSError):
            self._server.trigger.pull_trigger(partial(close_all, self._sockets, ignore_all=True))
        self._thread.join()
        self._server.task_dispatcher.shutdown(timeout=STOP_S)


def _refused(request: Request) -> Response | None:
    """Refuse what a web page sends, except that a browser may open the consent page."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    port = int(request.environ["SERVER_PORT"])
    if is_named(headers.get("host"), port) and not is_of_a_page(headers, request.method):
        return None
    message = f"a simulator accepts requests to 127.0.0.1:{port}, but none from a web page"
    return json_response({"error": {"status": 403, "message": message}}, 403)


def _rule(route: str, answer: Answer) -> Rule:
    """Convert a route such as `GET /path/<part>` into a routing rule of werkzeug."""
    method, path = route.split(" ")
    return Rule(path, methods=[method], endpoint=answer)
