"""The pages. To add one, see the docstring of `dashboard`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response

from dashboard.pages import (
    counts,
    day,
    discovery,
    health,
    items,
    mood,
    overview,
    plays,
    rank,
    review,
    sessions,
    skips,
    top,
    when,
)


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: The page's name in `view.url(name)`.
        path: The URL rule; captured values are arguments of `build`.
        title: The title in the head and the navigation.
        build: Returns the template's variables, or a whole response.
        in_nav: The navigation lists it.
        needs_plays: Before the first play, the page with the first steps is shown instead.
        template: Its file without `.html`; by default the page's name.
        of_all: What the page computes from all plays, so measure and counting rule do not apply.
    """

    name: str
    path: str
    title: str
    build: Callable[..., dict[str, Any] | Response]
    in_nav: bool = True
    needs_plays: bool = True
    template: str = ""
    of_all: str = ""


PAGES = (
    Page("overview", "/", "Overview", overview.page),
    Page("top", "/top", "Top", top.page),
    Page("top_csv", "/top.csv", "Top", top.csv, in_nav=False),
    Page("when", "/when", "When", when.page),
    Page("discovery", "/discovery", "Discovery", discovery.page),
    Page("rank", "/rank", "Rank", rank.page),
    Page("sessions", "/sessions", "Sessions", sessions.page),
    Page("skips", "/skips", "Skips", skips.page, of_all="Skip rates"),
    Page("mood", "/mood", "Mood", mood.page, of_all="Averages"),
    Page("review", "/review", "Review", review.page),
    Page("counts", "/counts", "Counts", counts.page),
    Page(
        "health", "/health", "Health", health.page, needs_plays=False, of_all="Coverage and sources"
    ),
    Page("artist", "/artist/<id:item>", "Artist", items.artist, in_nav=False, template="item"),
    Page("track", "/track/<id:item>", "Track", items.track, in_nav=False, template="item"),
    Page("album", "/album/<id:item>", "Album", items.album, in_nav=False, template="item"),
    Page("plays", "/plays", "Plays", plays.page, in_nav=False),
    Page("day", "/day/<day>", "Day", day.page, in_nav=False),
)
"""In the order of the navigation."""
