"""Spotify's web API: the listener's plays, tracks, and audio features for apps with access.

Source:
    https://developer.spotify.com/documentation/web-api, its change logs of 2026, and responses
    recorded by open-source projects.
"""

from collections.abc import Callable
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.catalogue import Track
from infra.local.simulators import account, wire
from infra.local.simulators.app_kinds import as_shown, play_as_shown
from infra.local.simulators.refusals import api_error
from infra.local.simulators.scenarios import ActiveScenarios, Row
from infra.local.simulators.server import Answer, json_response

_LIMIT = 20
_MOST_TRACKS = 50
_MOST_FEATURES = 100


def with_token(
    tokens: account.AccessTokens, answer: Answer, *, of_listener: bool = False
) -> Answer:
    """Require a valid access token; if `of_listener`, one that was issued for a listener."""

    def checked(request: Request, **parts: Any) -> Response:
        given = request.authorization
        bearer = given.token if given is not None and given.type == "bearer" else None
        complaint = tokens.complaint(bearer)
        if complaint is None and of_listener and not tokens.is_of_listener(bearer):
            complaint = "Unauthorized."
        return api_error(401, complaint) if complaint else answer(request, **parts)

    return checked


def recently_played(plays: account.Plays, active: ActiveScenarios, request: Request) -> Response:
    """Show one page of the newest plays."""
    try:
        limit, after, before = (_whole(request, name) for name in ("limit", "after", "before"))
    except ValueError as error:
        return api_error(400, f"Invalid {error}")
    limit = _LIMIT if limit is None else limit
    if not 1 <= limit <= account.PLAYS_SHOWN:
        return api_error(400, "Invalid limit")
    if after is not None and before is not None:
        return api_error(400, "Only one of before and after can be specified")
    newest = _window(plays, active)
    return json_response(
        wire.page(newest, limit=limit, after=after, before=before, url=request.base_url)
    )


def track(active: ActiveScenarios, request: Request, track_id: str) -> Response:
    """Show one track."""
    found = catalogue.find_track(track_id)
    if found is None:
        return api_error(404, "Not found.")
    return json_response(as_shown(active, wire.track_object(found)))


def tracks(active: ActiveScenarios, request: Request) -> Response:
    """Show several tracks, null for an unknown one; refused in development mode since 2026."""
    if not active.parameter("several_tracks", normally=0):
        return api_error(403, "Forbidden")
    return _several(
        request,
        "tracks",
        _MOST_TRACKS,
        lambda found: as_shown(active, wire.track_object(found)),
    )


def features_of_one(active: ActiveScenarios, request: Request, track_id: str) -> Response:
    """Return the features of a track; refused like `features_of_several`."""
    if not active.parameter("audio_features", normally=0):
        return api_error(403)
    found = catalogue.find_track(track_id)
    return (
        json_response(wire.audio_features(found)) if found else api_error(404, "analysis not found")
    )


def features_of_several(active: ActiveScenarios, request: Request) -> Response:
    """Return features, null for an unknown track; refused for new apps since November 2024."""
    if not active.parameter("audio_features", normally=0):
        return api_error(403)
    return _several(request, "audio_features", _MOST_FEATURES, wire.audio_features)


def _window(plays: account.Plays, active: ActiveScenarios) -> list[Row]:
    """Return the plays that can be fetched now, newest first."""
    dressed = [play_as_shown(active, play) for play in plays.newest()]
    return account.newest_first(active.shown(dressed))


def _several(request: Request, key: str, most: int, shown: Callable[[Track], Row]) -> Response:
    """Answer a request for several ids, in their order."""
    ids = request.args.get("ids", "").split(",")
    if not all(ids):
        return api_error(400, "invalid id")
    if len(ids) > most:
        return api_error(400, "Too many ids requested")
    found = map(catalogue.find_track, ids)
    return json_response({key: [one and shown(one) for one in found]})


def _whole(request: Request, name: str) -> int | None:
    """Read a whole number from the query; None if it is missing.

    Raises:
        ValueError: It is not a whole number; the message is the parameter's name.
    """
    text = request.args.get(name)
    if text is not None and not (text.isascii() and text.isdigit()):
        raise ValueError(name)
    return None if text is None else int(text)
