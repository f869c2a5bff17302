"""The paths of the dashboard pages to measure, with items that exist in the database."""

import re

from dashboard.pages import PAGES
from shared.queries import Reader

SHOWN = tuple(page for page in PAGES if not page.path.endswith(".csv"))
MORE = {
    "top of tracks": "/top?kind=track&",
    "top of albums": "/top?kind=album&",
    "plays of an hour": "/plays?hour=21&weekday=2&",
    "plays of a rare hour": "/plays?hour=4&",
    "plays of a device": "/plays?platform=ios&",
}
"""Further paths of these pages with other parameters, by name."""

# The most played item or day, for the variable part of a page's path.
SAMPLES = {
    "artist": "SELECT artist_id FROM reporting.artists",
    "track": "SELECT track_id FROM reporting.tracks",
    "album": "SELECT album_id FROM reporting.albums",
    "day": "SELECT listened_date FROM reporting.listening_daily",
}
MOST_PLAYED = " WHERE listener = 'me' ORDER BY plays_30s DESC LIMIT 1"


def addresses(reader: Reader) -> dict[str, str]:
    """Return the paths by page name; each ends in `?` or `&`, so that a parameter can follow."""
    samples = {name: str(reader.run(sql + MOST_PLAYED)[0][0]) for name, sql in SAMPLES.items()}
    known = {page.name: re.sub("<.*>", samples.get(page.name, ""), page.path) for page in SHOWN}
    return {name: f"{path}?" for name, path in known.items()} | MORE
