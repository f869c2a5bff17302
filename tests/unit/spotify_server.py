"""A real HTTP server that answers like Spotify, with the answers of a test."""

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Reply:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


class SpotifyServer:
    """Gives the replies of a path in turn; the last one again and again.

    A reply may be a function of the request.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.tokens = [a_grant()]
        self.pages = [a_page()]
        self.features = [rows_of("audio_features", a_sound)]
        self.tracks = [rows_of("tracks", a_track)]
        self.requests: list[Request] = []

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        routes = {
            ("POST", "/api/token"): self.tokens,
            ("GET", "/v1/me/player/recently-played"): self.pages,
            ("GET", "/v1/audio-features"): self.features,
            ("GET", "/v1/tracks"): self.tracks,
        }
        script = routes.get((request.method, request.path), [Reply(b"not found", 404)])
        reply = script.pop(0) if len(script) > 1 else script[0]
        return reply(request) if callable(reply) else reply


@contextmanager
def a_spotify_server():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            target = urlsplit(self.path)
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            reply = spotify.reply(
                Request(
                    self.command,
                    target.path,
                    dict(parse_qsl(target.query)),
                    dict(parse_qsl(form)),
                    dict(self.headers),
                )
            )
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        spotify = SpotifyServer(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield spotify
        server.shutdown()
        thread.join()


def json_reply(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(json.dumps(value).encode(), status, headers)


def a_grant(access: str = "BQ-1", expires_in: int = 3600, rotated_to: str | None = None) -> Reply:
    """Answer of the token endpoint; most leave the refresh token as it is, and out."""
    rotation = {"refresh_token": rotated_to} if rotated_to else {}
    return json_reply({"access_token": access, "expires_in": expires_in, **rotation})


def a_page(*rows: object) -> Reply:
    return json_reply({"items": rows, "next": None, "cursors": None, "limit": 50})


def a_row(played_at: str = "2026-11-23T08:21:01.234Z", name: str = "Boats", **track: object):
    """A play history object as a new app gets it: no popularity, no context."""
    return {
        "played_at": played_at,
        "context": None,
        "track": {
            "type": "track",
            "id": name,
            "uri": f"spotify:track:{name}",
            "name": name,
            "duration_ms": 201_333,
            "is_local": False,
            "external_ids": {"isrc": "QZAAA2600001"},
            "artists": [{"name": "The Example"}, {"name": "A Guest"}],
            "album": {"name": "Harbour"},
            **track,
        },
    }


def rows_of(name: str, row):
    """Answer with a row for each id, in order; `row` gives None for an unknown one."""
    return lambda request: json_reply({name: [row(one) for one in request.query["ids"].split(",")]})


def a_sound(track_id: str):
    """An audio features object, as apps made before November 2024 get it."""
    return {
        "acousticness": 0.0755,
        "analysis_url": f"https://api.spotify.com/v1/audio-analysis/{track_id}",
        "danceability": 0.679,
        "duration_ms": 201_333,
        "energy": 0.715,
        "id": track_id,
        "instrumentalness": 0.0,
        "key": -1,
        "liveness": 0.271,
        "loudness": -6.383,
        "mode": 1,
        "speechiness": 0.0407,
        "tempo": 127.435,
        "time_signature": 1,
        "track_href": f"https://api.spotify.com/v1/tracks/{track_id}",
        "type": "audio_features",
        "uri": f"spotify:track:{track_id}",
        "valence": 0.571,
    }


def a_track(track_id: str):
    """A track object, as far as it matters, as apps with extended quota get it."""
    return {"id": track_id, "type": "track", "duration_ms": 201_334, "popularity": 69}
