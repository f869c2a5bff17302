"""ReccoBeats, the source of audio features that needs no key, with the oddities that users found.

At most 40 ids are read and the rest are ignored. Unknown ids are missing from the answer. Rows have
another order and ids of ReccoBeats' own, so only `href` identifies the track of a row. Only the
paths, ids and fields that the pipeline uses are simulated.

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
from infra.local.catalogue import Track
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
    """Return the simulator of ReccoBeats."""
    stage = Stage(RECCOBEATS, clock)
    routes = {
        "GET /v1/audio-features": stage.guard(partial(_batch, _features_row)),
        "GET /v1/track": stage.guard(partial(_batch, _track_row)),
    }
    named = {route: _with_name(answer) for route, answer in routes.items()}
    return Simulator({**named, **stage.routes()})


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
    ids = [one for one in request.args.get("ids", "").split(",") if one]
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
    """Return the row of a track; for about one track in a hundred its popularity is unknown."""
    known = popularity(track)
    return {
        **_reference(track),
        "trackTitle": track.name,
        "durationMs": track.duration_ms,
        "popularity": known if known < _UNKNOWN_POPULARITY else None,
    }


def _reference(track: Track) -> Row:
    """Return the fields that feature rows and track rows share; `id` is ReccoBeats' own."""
    href = f"{OPEN}/track/{track.track_id}"
    own_id = uuid.UUID(bytes=catalogue.noise_of(href))
    return {"id": str(own_id), "href": href, "isrc": track.isrc}
