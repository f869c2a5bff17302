"""The table of all pages. To add one, see the docstring of the package `dashboard`."""

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
    """One page of the web page, with its URL and the function that builds it.

    Attributes:
        name: The page's name in `view.url(name)`.
        path: The URL rule; captured values are arguments of `build`.
        title: The title in the head and the navigation.
        build: Returns the variables of the template, or a response that needs no template.
        in_nav: True if the navigation lists the page.
        needs_plays: True if welcome.html is shown instead before the listener's first play.
        template: The template's file name without `.html`; if empty, the page's name.
        of_all: Names the numbers of a page that always covers all plays, so that measure and
            counting rule cannot be chosen; else empty.
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
