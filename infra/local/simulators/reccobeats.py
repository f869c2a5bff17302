"""ReccoBeats, the keyless source of audio features, with the oddities that its users found.

At most 40 ids are read and the rest is ignored; unknown ids are missing from the answer; rows come
in another order, under other ids, so that only `href` names the track of a row. The paths of a
single track accept ReccoBeats' own ids only.

Source:
    https://reccobeats.com/docs
"""

import uuid
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.catalogue import Artist, Track
from infra.local.simulators import recco_ids
from infra.local.simulators.scenarios import ActiveScenarios, Row
from infra.local.simulators.scenarios_reccobeats import RECCOBEATS, error
from infra.local.simulators.server import Answer, Clock, Simulator, json_response
from infra.local.simulators.sound import popularity, sound
from infra.local.simulators.stage import Stage
from infra.local.simulators.wire import OPEN

MOST_IDS = 40

_REFUSED_AGENTS = ("python-requests", "Python-urllib")
_MISSING_PARAMETER = 4001
_NOT_FOUND = 4041
_UNKNOWN_POPULARITY = 100


def reccobeats(clock: Clock) -> Simulator:
    """Build the simulator."""
    stage = Stage(RECCOBEATS, clock)
    routes = {
        "GET /v1/audio-features": stage.guard(partial(_batch, _features_row)),
        "GET /v1/track": stage.guard(partial(_batch, _track_row)),
        "GET /v1/track/<own_id>": stage.guard(partial(_single, _track_row)),
        "GET /v1/track/<own_id>/audio-features": stage.guard(partial(_single, _features_row)),
    }
    named = {route: _with_name(answer) for route, answer in routes.items()}
    return Simulator({**named, **stage.routes()}, stage.clock)


def _with_name(answer: Answer) -> Answer:
    """Require a user agent other than those of Python's HTTP clients."""

    def checked(request: Request, **parts: Any) -> Response:
        agent = request.user_agent.string
        if not agent or agent.startswith(_REFUSED_AGENTS):
            return Response("Forbidden", 403)
        return answer(request, **parts)

    return checked


def _batch(row: Callable[[Track], Row], active: ActiveScenarios, request: Request) -> Response:
    """Answer a list of ids: one row for each track that is known."""
    ids = [one for text in request.args.getlist("ids") for one in text.split(",") if one]
    if not ids:
        return error(400, _MISSING_PARAMETER, "ids is missing")
    found = {track for one in ids[:MOST_IDS] for track in recco_ids.find(one)}
    rows = [row(track) for track in found if catalogue.known_to_reccobeats(track.number)]
    content = sorted(rows, key=itemgetter("id"))
    return json_response({"content": active.shown(content)})


def _single(
    row: Callable[[Track], Row], active: ActiveScenarios, request: Request, own_id: str
) -> Response:
    """Answer for one track by ReccoBeats' own id; a Spotify id names none."""
    track = recco_ids.find_uuid(own_id)
    known = [track] if track and catalogue.known_to_reccobeats(track.number) else []
    rows = active.shown([row(one) for one in known])
    return json_response(rows[0]) if rows else error(404, _NOT_FOUND, "resource not found")


def _features_row(track: Track) -> Row:
    """Return the features of a track, which lack the time signature."""
    return {**_reference(track), **sound(track)}


def _track_row(track: Track) -> Row:
    """Describe a track; the popularity of one in a hundred is not known."""
    told = popularity(track)
    return {
        **_reference(track),
        "trackTitle": track.name,
        "artists": [_artist_row(artist) for artist in track.artists],
        "durationMs": track.duration_ms,
        "ean": None,
        "upc": None,
        "availableCountries": "AT,DE,JP,US",
        "popularity": told if told < _UNKNOWN_POPULARITY else None,
    }


def _reference(track: Track) -> Row:
    """Write what both kinds of row carry."""
    href = f"{OPEN}/track/{track.track_id}"
    return {"id": recco_ids.uuid_of(track), "href": href, "isrc": track.isrc}


def _artist_row(artist: Artist) -> Row:
    """Name an artist, by an address at Spotify and an id of ReccoBeats' own."""
    href = f"{OPEN}/artist/{artist.artist_id}"
    own_id = str(uuid.UUID(bytes=catalogue.noise_of(href)))
    return {"id": own_id, "name": artist.name, "href": href}
