"""Spotify's web API: the listener's plays, tracks, and audio features for apps with access.

What it shows an app depends on when the app was made:

- An app of 2026, in development mode: neither `popularity` nor `available_markets`. Spotify says
  that `external_ids` stayed, but a newer app has received objects without them.
- An older app in its grace period: all 17 fields, and several tracks at once.
- An app made before November 2024 with extended quota: audio features too.

Source:
    https://developer.spotify.com/documentation/web-api, and responses recorded by open-source
    projects.
    https://developer.spotify.com/documentation/web-api/references/changes/february-2026
    https://developer.spotify.com/documentation/web-api/references/changes/march-2026
    https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.catalogue import Track
from infra.local.simulators import account, wire
from infra.local.simulators.refusals import api_error
from infra.local.simulators.scenarios import ActiveScenarios, Row
from infra.local.simulators.server import Answer, json_response
from infra.local.simulators.sound import popularity

_LIMIT = 20
_MOST_TRACKS = 50
_MOST_FEATURES = 100
_MARKETS = ("AT", "DE", "JP", "US")


def with_token(tokens: account.AccessTokens, answer: Answer) -> Answer:
    """Return `answer` with a check that the request has a valid access token."""

    def checked(request: Request, **parts: Any) -> Response:
        given = request.authorization
        bearer = given.token if given is not None and given.type == "bearer" else None
        complaint = tokens.complaint(bearer)
        return api_error(401, complaint) if complaint else answer(request, **parts)

    return checked


def recently_played(plays: account.Plays, active: ActiveScenarios, request: Request) -> Response:
    """Show the newest plays; cursors are left out, because the pipeline does not use them."""
    limit = request.args.get("limit", _LIMIT, type=int)
    if not 1 <= limit <= account.PLAYS_SHOWN:
        return api_error(400, "Invalid limit")
    newest = sorted(plays.newest(), key=lambda play: play.ended_at)[-account.PLAYS_SHOWN :]
    rows = [
        wire.play_history(
            _track_object(active, catalogue.track(play.track_number)),
            play.ended_at,
            play.context_uri,
        )
        for play in newest
    ]
    shown = sorted(active.shown(rows[::-1]), key=_ended_at, reverse=True)[:limit]
    return json_response({"items": shown, "next": None, "cursors": None, "limit": limit})


def track(active: ActiveScenarios, request: Request, track_id: str) -> Response:
    """Show one track."""
    found = catalogue.find_track(track_id)
    return json_response(_track_object(active, found)) if found else api_error(404, "Not found.")


def tracks(active: ActiveScenarios, request: Request) -> Response:
    """Show several tracks, null for an unknown one; refused in development mode since 2026."""
    if not active.parameter("several_tracks", normally=0):
        return api_error(403, "Forbidden")
    return _several(request, "tracks", _MOST_TRACKS, lambda found: _track_object(active, found))


def audio_features(active: ActiveScenarios, request: Request) -> Response:
    """Return features, null for an unknown track; refused for new apps since November 2024."""
    if not active.parameter("audio_features", normally=0):
        return api_error(403)
    return _several(request, "audio_features", _MOST_FEATURES, wire.audio_features)


def _track_object(active: ActiveScenarios, track: Track) -> Row:
    """Return a track object as this kind of app sees it."""
    shown = wire.track_object(track)
    if not active.parameter("external_ids", normally=1):
        del shown["external_ids"]
    if active.parameter("popularity", normally=0):
        shown |= {"popularity": popularity(track), "available_markets": _MARKETS}
        shown["album"] |= {"available_markets": _MARKETS}
    return shown


def _ended_at(play: Row) -> datetime:
    return datetime.fromisoformat(play["played_at"])


def _several(request: Request, key: str, most: int, shown: Callable[[Track], Row]) -> Response:
    """Answer a request for several ids, in their order."""
    ids = request.args.get("ids", "").split(",")
    if not all(ids):
        return api_error(400, "invalid id")
    if len(ids) > most:
        return api_error(400, "Too many ids requested")
    found = map(catalogue.find_track, ids)
    return json_response({key: [one and shown(one) for one in found]})
