"""ReccoBeats, the source of audio features that needs no key, with the oddities that users found.

At most 40 ids are read and the rest are ignored. Unknown ids are missing from the answer. Rows have
another order and ids of ReccoBeats' own, so only `href` identifies the track of a row. Only the
paths and ids that the pipeline uses are simulated.

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
    """Require a user agent that is not the default of a Python HTTP client."""

    def checked(request: Request, **parts: Any) -> Response:
        agent = request.user_agent.string
        if not agent or agent.startswith(_REFUSED_AGENTS):
            return Response("Forbidden", 403)
        return answer(request, **parts)

    return checked


def _batch(row: Callable[[Track], Row], active: ActiveScenarios, request: Request) -> Response:
    """Answer a request for several ids: one row for each known track."""
    ids = [one for text in request.args.getlist("ids") for one in text.split(",") if one]
    if not ids:
        return error(400, _MISSING_PARAMETER, "ids is missing")
    found = {track for one in ids[:MOST_IDS] if (track := catalogue.find_track(one))}
    rows = [row(track) for track in found if catalogue.known_to_reccobeats(track.number)]
    content = sorted(rows, key=itemgetter("id"))
    return json_response({"content": active.shown(content)})


def _features_row(track: Track) -> Row:
    """Return the features of a track; ReccoBeats has no time signature."""
    return {**_reference(track), **sound(track)}


def _track_row(track: Track) -> Row:
    """Describe a track; for about one in a hundred the popularity is unknown."""
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
    """Return the fields that both kinds of row have."""
    href = f"{OPEN}/track/{track.track_id}"
    return {"id": _own_id(href), "href": href, "isrc": track.isrc}


def _artist_row(artist: Artist) -> Row:
    """Describe an artist, with the Spotify URL and an id of ReccoBeats' own."""
    href = f"{OPEN}/artist/{artist.artist_id}"
    return {"id": _own_id(href), "name": artist.name, "href": href}


def _own_id(href: str) -> str:
    """Return ReccoBeats' own id for the item at a Spotify URL."""
    return str(uuid.UUID(bytes=catalogue.noise_of(href)))
