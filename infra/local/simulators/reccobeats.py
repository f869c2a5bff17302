"""ReccoBeats, the keyless source of audio features, with the traps that its users found.

At most 40 ids are read and the rest is dropped without a word; unknown ids are missing from the
answer; rows come in an order of their own, under ids of their own, so that only `href` tells
which track a row is about.

Source:
    https://reccobeats.com/docs
"""

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.simulators.server import Answer, Clock, Simulator, json_response
from infra.local.simulators.wire import OPEN

MOST_IDS = 40

_REFUSED_AGENTS = ("python-requests", "Python-urllib")
_MISSING_PARAMETER = 4001
_UUID_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
_UNKNOWN_POPULARITY = 100

Row = dict[str, Any]


def reccobeats(clock: Clock) -> Simulator:
    """Build the simulator."""
    routes = {
        "GET /v1/audio-features": _batch(_features_row),
        "GET /v1/track": _batch(_track_row),
    }
    return Simulator(routes, clock)


def _batch(row: Callable[[int, str], Row]) -> Answer:
    """Make the answer to a list of ids: one row for each track that is known."""

    def answer(request: Request) -> Response:
        agent = request.user_agent.string
        if not agent or agent.startswith(_REFUSED_AGENTS):
            return Response("Forbidden", 403)
        ids = [one for text in request.args.getlist("ids") for one in text.split(",") if one]
        if not ids:
            return json_response({"code": _MISSING_PARAMETER, "error": "ids is missing"}, 400)
        numbers = {one: catalogue.find_number(one) for one in ids[:MOST_IDS]}
        rows = [
            row(number, track_id)
            for track_id, number in numbers.items()
            if number is not None and catalogue.known_to_reccobeats(number)
        ]
        return json_response({"content": sorted(rows, key=itemgetter("id"))})

    return answer


def _features_row(number: int, track_id: str) -> Row:
    """Tell how a track sounds; there is no time signature, and key -1 is no key."""
    chance = [byte / 255 for byte in catalogue.noise_of("features", number)]
    return {
        **_reference(number, track_id),
        "acousticness": round(chance[0] ** 3, 4),
        "danceability": round((chance[1] + chance[2]) / 2, 3),
        "energy": round((chance[3] + chance[4]) / 2, 3),
        "instrumentalness": round(chance[5] ** 9, 6),
        "key": round(chance[6] * 12) - 1,
        "liveness": round(chance[7] ** 2, 3),
        "loudness": round(-30 * chance[8] * chance[9], 3),
        "mode": round(chance[10]),
        "speechiness": round(chance[11] ** 4, 4),
        "tempo": round(60 + 140 * (chance[12] + chance[13]) / 2, 3),
        "valence": round((chance[14] + chance[15]) / 2, 3),
    }


def _track_row(number: int, track_id: str) -> Row:
    """Describe a track; the popularity of one in a hundred is not known."""
    track = catalogue.track(number)
    chance = catalogue.noise_of("popularity", number)[0]
    popularity = chance % (_UNKNOWN_POPULARITY + 1)
    return {
        **_reference(number, track_id),
        "trackTitle": track.name,
        "artists": [
            {**_named(f"{OPEN}/artist/{artist.artist_id}"), "name": artist.name}
            for artist in track.artists
        ],
        "durationMs": track.duration_ms,
        "ean": None,
        "upc": None,
        "availableCountries": "AT,DE,JP,US",
        "popularity": popularity if popularity < _UNKNOWN_POPULARITY else None,
    }


def _reference(number: int, track_id: str) -> Row:
    """Write what both kinds of row carry."""
    return {**_named(f"{OPEN}/track/{track_id}"), "isrc": catalogue.isrc_of(number)}


def _named(href: str) -> Row:
    """Name a thing by its address at Spotify, and by an id of ReccoBeats' own."""
    digits = catalogue.noise_of(href).hex()
    return {"id": "-".join(digits[i:j] for i, j in _UUID_PARTS), "href": href}
