"""Writes the review of a year or a month as one HTML file without scripts, links or requests."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from dashboard.format import FILTERS
from dashboard.period import Period
from dashboard.review import gather, no_link
from dashboard.view import View

HERE = Path(__file__).parent


class NoPlaysError(LookupError):
    """The database holds no play of the listener in the period."""


def default_year(view: View) -> int | None:
    """Return the last completed year with plays; the current year if only it has plays.

    None if the listener has no play.
    """
    years: list[int] = [row["listened_year"] for row in view.ask.rows("review.years")]
    over = [year for year in years if year < view.listener.today.year]
    return max(over or years, default=None)


def render(view: View, period: Period, heading: str) -> str:
    """Return the HTML of the review.

    Args:
        view: The listener, the measure and the counting rule.
        period: A whole year or a whole month.
        heading: The heading. Nothing else in the file names the listener.

    Raises:
        NoPlaysError: The database holds no play of the listener in the period.
    """
    view = view.at(period)
    review = gather(view, no_link)
    if review is None:
        raise NoPlaysError
    return (
        environment()
        .get_template("report.html")
        .render(
            review=review,
            view=view,
            heading=heading,
            unit="time" if view.by_time else "plays",
            css=_styles(),
        )
    )


def _styles() -> Markup:
    """Return all style sheets, marked as safe so that Jinja keeps their quotation marks."""
    sheets = sorted((HERE / "static").glob("*.css"))
    return Markup("\n".join(path.read_text() for path in sheets))  # noqa: S704 - our files


def environment() -> Environment:
    """Return a Jinja environment for the templates, without the globals that Flask adds."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made
