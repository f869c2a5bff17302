"""What Spotify shows an app, which depends on when the app was made.

- An app of 2026, in development mode: neither `popularity` nor `available_markets`. Spotify says
  that `external_ids` stayed, but a newer app has received objects without them.
- An older app in its grace period: all 17 fields, and several tracks at once.
- An app made before November 2024 with extended quota: audio features too.

Source:
    https://developer.spotify.com/documentation/web-api/references/changes/february-2026
    https://developer.spotify.com/documentation/web-api/references/changes/march-2026
    https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
"""

from infra.local import catalogue
from infra.local.simulators.scenarios import ActiveScenarios, Row
from infra.local.simulators.sound import popularity

MARKETS = ("AT", "DE", "JP", "US")


def as_shown(active: ActiveScenarios, track: Row) -> Row:
    """Return a track object as the app sees it; fields that a test has set are kept."""
    shown = dict(track)
    if not active.parameter("external_ids", normally=1):
        shown.pop("external_ids", None)
    if not active.parameter("popularity", normally=0):
        return shown
    found = catalogue.find_track(str(track.get("id")))
    if found is None:
        return shown
    old = {"popularity": popularity(found), "available_markets": MARKETS, **shown}
    if album := old.get("album"):
        old["album"] = {"available_markets": MARKETS, **album}
    return old


def play_as_shown(active: ActiveScenarios, play: Row) -> Row:
    """Return a play with its track as the app sees it."""
    track = play["track"]
    return {**play, "track": as_shown(active, track)} if isinstance(track, dict) else play
