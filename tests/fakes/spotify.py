"""Spotify with the answers of a test, as a real HTTP server or within the process."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter

PLAYED = "/v1/me/player/recently-played"
TOKEN = "/api/token"  # noqa: S105 - a path, not a password


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

    @classmethod
    def of(cls, method: str, target: str, form: str, headers: Any) -> "Request":
        """Read the parts of an HTTP request."""
        url = urlsplit(target)
        query, fields = dict(parse_qsl(url.query)), dict(parse_qsl(form))
        return cls(method, url.path, query, fields, dict(headers))


class SpotifyServer:
    """Gives the replies of a path in turn; the last one again and again.

    A reply may be a function of the request.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.tokens: list[Any] = [a_grant()]
        self.pages: list[Any] = [a_page()]
        self.features = [rows_of("audio_features", a_sound)]
        self.tracks = [rows_of("tracks", a_track)]
        self.requests: list[Request] = []

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        routes = {
            ("POST", TOKEN): self.tokens,
            ("GET", PLAYED): self.pages,
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
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            reply = spotify.reply(Request.of(self.command, self.path, form, self.headers))
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


class RotatingSpotify(SpotifyServer):
    """Rotates the refresh token with each access token, and counts the mistakes of its client.

    Only the newest refresh token is valid, as for PKCE apps until mid-2026.
    """

    def __init__(
        self,
        step: Callable[[str], AbstractContextManager[None]],
        clock: Callable[[], datetime],
        stored: Callable[[], str],
    ) -> None:
        """`step` surrounds each call, and `stored` returns the refresh token in the secret."""
        super().__init__("http://spotify.test")
        self._step = step
        self._clock = clock
        self._stored = stored
        self._blocked_until = clock()
        self._grants = 0
        self.newest = "AQ-0"
        self.tokens = [self.trade]
        self.calls_while_blocked = 0
        self.used_too_early = 0
        """Calls with an access token whose refresh token was not stored yet."""
        self.used_too_late = 0
        """Uses of an old refresh token."""

    def session(self) -> requests.Session:
        """Return a session whose calls come here without a network."""
        session = requests.Session()
        session.mount(self.url, _InProcess(self))
        return session

    def reply(self, request: Request) -> Reply:
        with self._step(request.path):
            now = self._clock()
            self.calls_while_blocked += now < self._blocked_until
            reply = super().reply(request)
            wait = timedelta(seconds=int(reply.headers.get("Retry-After", 0)))
            self._blocked_until = max(self._blocked_until, now + wait)
            if request.path == PLAYED and self._grants:
                newest_stored = f"Bearer BQ{self._stored()[2:]}"
                self.used_too_early += request.headers["Authorization"] != newest_stored
        # If the answer is lost, the old token stays valid; in reality the listener must log in.
        if request.path == TOKEN and reply.status == 200:
            self.newest = json.loads(reply.body).get("refresh_token", self.newest)
        return reply

    def trade(self, request: Request) -> Reply:
        """Answer a call for tokens."""
        if request.form["refresh_token"] != self.newest:
            self.used_too_late += 1
            return json_reply({"error": "invalid_grant"}, 400)
        self._grants += 1
        return a_grant(f"BQ-{self._grants}", rotated_to=f"AQ-{self._grants}")


class _InProcess(HTTPAdapter):
    def __init__(self, spotify: SpotifyServer) -> None:
        super().__init__()
        self._spotify = spotify

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        form = str(request.body or "")
        reply = self._spotify.reply(
            Request.of(str(request.method), request.path_url, form, request.headers)
        )
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.raw = BytesIO(reply.body)
        return response


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
