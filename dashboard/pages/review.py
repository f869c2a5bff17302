"""The page Review: a year or a month at a glance, beside the previous year or month."""

from typing import Any

from dashboard.amounts import MONTHS, months_of
from dashboard.period import Period, named
from dashboard.review import gather
from dashboard.view import View


def page(view: View) -> dict[str, Any]:
    """Return the variables of the page's template."""
    period = reviewed(view)
    return {
        "period": period,
        "is_other": period.text != view.period.text,
        "years": [year for year, _ in view.timeline.years()],
        "months": _months(view, period),
        "review": gather(view.at(period), view.url),
    }


def reviewed(view: View) -> Period:
    """Return the page's period if it is a whole year or month, else the year of its last day."""
    whole = named(view.period)
    if ".." not in whole.text:
        return whole
    return view.timeline.parse(str(view.shown.last.year))


def _months(view: View, period: Period) -> list[tuple[str, Period]]:
    """Return the months of the reviewed year, from the first play to today, with short names."""
    year = view.timeline.parse(str(period.first.year))
    timeline = view.timeline
    known = [
        timeline.parse(f"{first:%Y-%m}")
        for first in months_of(year)
        if first <= timeline.today and first >= timeline.first.replace(day=1)
    ]
    return [(MONTHS[each.first.month - 1], each) for each in known]
