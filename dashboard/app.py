"""The web page as a WSGI application: routes, responses and error pages."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask, Response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable
from werkzeug.routing import BaseConverter, ValidationError
from werkzeug.wrappers import Response as AnyResponse

from dashboard import format as formats
from dashboard import security
from dashboard.assets import Assets
from dashboard.pages import PAGES, Page
from dashboard.period import PRESETS
from dashboard.view import MEASURES, OWN, RULES, STATE, Operations, View
from shared.errors import HistoryError, QueryError
from shared.queries import Reader

OpenReader = Callable[[], AbstractContextManager[Reader]]
Simulated = Callable[[], frozenset[str]]


class IdConverter(BaseConverter):
    """An id of an artist, a track or an album in a path: a bigint of Postgres."""

    regex = r"-?\d{1,19}"

    def to_python(self, value: str) -> int:
        """Read an id.

        Raises:
            ValidationError: It is outside the range of bigint; the response is then a 404.
        """
        number = int(value)
        if not -(2**63) <= number < 2**63:
            raise ValidationError
        return number


def create_app(
    open_reader: OpenReader,
    operations: Operations | None = None,
    simulated: Simulated = frozenset,
) -> Flask:
    """Build the application.

    Args:
        open_reader: Opens a reader of the database; each request opens one.
        operations: Returns what `plays status --json` prints; None if the
            pages have no access to it.
        simulated: Returns the listeners whose history holds simulated plays; none by default.

    Raises:
        FileNotFoundError: The chart library is not installed.
    """
    assets = Assets()
    app = Flask(__name__, static_folder=None)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    app.jinja_env.filters.update(formats.FILTERS)
    app.jinja_env.globals.update(
        asset=assets.path,
        nav=[page for page in PAGES if page.in_nav],
        rules=RULES.values(),
        measures=MEASURES,
        presets=PRESETS,
        change=formats.change,
        move=formats.move,
        artist_note=formats.artist_note,
    )
    app.url_map.converters["id"] = IdConverter
    security.protect(app)
    app.register_error_handler(HTTPException, _error_page)
    app.register_error_handler(HistoryError, _away)
    app.register_error_handler(QueryError, _refused)
    _route(app, "/static/<digest>/<name>", "static", assets.serve)
    for page in PAGES:
        _route(app, page.path, page.name, _answers(page, open_reader, operations, simulated))
    return app


def _route(app: Flask, path: str, name: str, answer: Callable[..., Any]) -> None:
    """Route GET and HEAD requests for a path to `answer`."""
    app.add_url_rule(path, name, answer, methods=["GET"], provide_automatic_options=False)


def _answers(
    page: Page, open_reader: OpenReader, operations: Operations | None, simulated: Simulated
) -> Callable[..., AnyResponse | str]:
    """Return the function that answers a request for a page."""

    def answer(**values: Any) -> AnyResponse | str:
        dates = request.args.get("from"), request.args.get("to")
        if all(dates):
            # A form sends two dates; the page's address names the period as text.
            return redirect(_custom(*dates, page=page, values=values))
        with open_reader() as reader:
            view = View.of(request.args, reader, operations, simulated())
            if view is None or (page.needs_plays and view.listener.first_date is None):
                return render_template("welcome.html", page=page, view=view)
            context = page.build(view, **values)
            if isinstance(context, Response):
                return context
            return render_template(
                f"{page.template or page.name}.html", page=page, view=view, **context
            )

    return answer


def _custom(first: str | None, last: str | None, *, page: Page, values: dict[str, Any]) -> str:
    others = {name: request.args[name] for name in (*STATE, *OWN) if name in request.args}
    return url_for(page.name, **{**others, **values, "period": f"{first}..{last}"})


def _error_page(error: HTTPException) -> tuple[str, int]:
    """Return the error page and the status code of an HTTP error."""
    code = error.code or 500
    return render_template("error.html", error=error, code=code), code


def _away(error: HistoryError) -> tuple[str, int]:
    """Return a 503 page that says why the database is unavailable."""
    return _error_page(ServiceUnavailable(f"The database cannot be read now: {error}."))


def _refused(error: QueryError) -> tuple[str, int]:
    """Return a 500 page with the error of a statement that Postgres rejected."""
    return _error_page(InternalServerError(f"The database cannot answer this page: {error}."))
