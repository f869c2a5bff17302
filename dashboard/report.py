"""The review of a year or a month as one HTML file: no script, no link, no request."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from dashboard.format import FILTERS
from dashboard.period import Period
from dashboard.review import gather, no_link
from dashboard.view import View

HERE = Path(__file__).parent


class NoPlaysError(LookupError):
    """No play of the period is known."""


def default_year(view: View) -> int | None:
    """Return the last year with plays that is over; the current one if there is no other.

    None if no play is known.
    """
    years: list[int] = [row["listened_year"] for row in view.ask.rows("review.years")]
    over = [year for year in years if year < view.listener.today.year]
    return max(over or years, default=None)


def render(view: View, period: Period, heading: str) -> str:
    """Return the file.

    Args:
        view: The listener, the measure and the counting rule.
        period: A whole year or a whole month.
        heading: Names the listener, if at all: the file says nothing else of them.

    Raises:
        NoPlaysError: No play of the period is known.
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
    """Return our own style sheets, in which a quotation mark is no HTML to escape."""
    sheets = sorted((HERE / "static").glob("*.css"))
    return Markup("\n".join(path.read_text() for path in sheets))  # noqa: S704 - files of ours


def environment() -> Environment:
    """Return the templates without a web server: what they use is all that they are given."""
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(FILTERS)
    return made
