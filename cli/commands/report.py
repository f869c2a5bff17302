"""`plays report`: write the review of a year or a month as one HTML file."""

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from cli.errors import CommandError
from cli.options import JsonOption, ListenerOption, target_of
from cli.output import Document, emit, show
from cli.simulated_plays import simulated_listeners
from dashboard.period import Period
from dashboard.report import NoPlaysError, default_year, render
from dashboard.view import MEASURES, RULES, View
from shared.archive import DEFAULT_LISTENER
from shared.queries import Reader


class Report(Document):
    """The HTML file that the command wrote."""

    path: Path
    period: str
    bytes: int


def report(
    context: typer.Context,
    *,
    year: Annotated[
        int | None,
        typer.Option(
            metavar="YEAR", min=1900, max=2199, help="The year. Default: the last complete one."
        ),
    ] = None,
    month: Annotated[
        int | None,
        typer.Option(metavar="MONTH", min=1, max=12, help="Only this month of the year."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file to write. Default: listening-YEAR.html in this folder."
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The name in the file. Default: the listener's."),
    ] = None,
    listener: ListenerOption = DEFAULT_LISTENER,
    rule: Annotated[
        str, typer.Option(metavar="RULE", help=f"When a play counts: {', '.join(RULES)}.")
    ] = "30s",
    measure: Annotated[
        str, typer.Option(metavar="MEASURE", help="Order by: plays, minutes.")
    ] = "plays",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the review of a year or a month as one HTML file.

    The file loads nothing from the network. It contains no personal data except the name and what
    the review shows.
    """
    _require(rule, RULES, "--rule")
    _require(measure, MEASURES, "--measure")
    target = target_of(context)
    with target.database() as database:
        args = {"listener": listener, "rule": rule, "measure": measure}
        view = _view(database, args, simulated_listeners(target))
        period = _period(view, year, month)
        try:
            text = render(view, period, _heading(name or listener))
        except NoPlaysError:
            raise CommandError(
                f"{listener} has no plays in {period.name}: use another --year or --month"
            ) from None
    written = _write(out or Path(f"listening-{period.text}.html"), text, force=force)
    done = Report(path=written, period=period.name, bytes=written.stat().st_size)
    if as_json:
        emit(done)
    else:
        show(f"{period.name} in review: {done.path} ({done.bytes / 1000:.0f} KB)")


def _heading(name: str) -> str:
    """Return the heading of the review; the template adds the year or month."""
    return "My listening" if name == DEFAULT_LISTENER else f"Listening of {name}"


def _require(value: str, known: Collection[str], option: str) -> None:
    if value not in known:
        raise CommandError(f"{option} {value} is unknown: use one of {', '.join(known)}")


def _view(database: Reader, args: dict[str, str], simulated: frozenset[str]) -> View:
    try:
        view = View.of(MultiDict({**args, "period": "all"}), database, simulated=simulated)
    except NotFound as error:
        raise CommandError(str(error.description)) from None
    if view is None:
        raise CommandError("no play is stored yet: load some with `plays upload` or `plays poll`")
    return view


def _period(view: View, year: int | None, month: int | None) -> Period:
    """Return the year or month to review; --month alone means the last one that has begun."""
    today = view.listener.today
    if year is None and month is not None:
        year = today.year if month <= today.month else today.year - 1
    year = year or default_year(view) or today.year
    text = str(year) if month is None else f"{date(year, month, 1):%Y-%m}"
    return view.timeline.parse(text)


def _write(path: Path, text: str, *, force: bool) -> Path:
    path = path.absolute()
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(
            f"{path} exists: pass --force to replace it, or --out to write elsewhere"
        ) from None
    return path
