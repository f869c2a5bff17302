"""ReccoBeats, the keyless source of audio features, with the oddities that its users found.

At most 40 ids are read and the rest is ignored; unknown ids are missing from the answer; rows come
in another order, under other ids, so that only `href` names the track of a row. Only the paths and
ids that the pipeline uses are simulated.

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
from infra.local.simulators.scenarios import ActiveScenarios, Row
from infra.local.simulators.scenarios_reccobeats import RECCOBEATS, error
from infra.local.simulators.server import Answer, Clock, Simulator, json_response
from infra.local.simulators.sound import popularity, sound
from infra.local.simulators.stage import Stage
from infra.local.simulators.wire import OPEN

MOST_IDS = 40

_REFUSED_AGENTS = ("python-requests", "Python-urllib")
_MISSING_PARAMETER = 4001
_UNKNOWN_POPULARITY = 100


def reccobeats(clock: Clock) -> Simulator:
    """Build the simulator."""
    stage = Stage(RECCOBEATS, clock)
    routes = {
        "GET /v1/audio-features": stage.guard(partial(_batch, _features_row)),
        "GET /v1/track": stage.guard(partial(_batch, _track_row)),
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
    found = {track for one in ids[:MOST_IDS] if (track := catalogue.find_track(one))}
    rows = [row(track) for track in found if catalogue.known_to_reccobeats(track.number)]
    content = sorted(rows, key=itemgetter("id"))
    return json_response({"content": active.shown(content)})


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
    return {"id": _own_id(href), "href": href, "isrc": track.isrc}


def _artist_row(artist: Artist) -> Row:
    """Name an artist, by an address at Spotify and an id of ReccoBeats' own."""
    href = f"{OPEN}/artist/{artist.artist_id}"
    return {"id": _own_id(href), "name": artist.name, "href": href}


def _own_id(href: str) -> str:
    """Return ReccoBeats' own id of what Spotify has at an address."""
    return str(uuid.UUID(bytes=catalogue.noise_of(href)))
