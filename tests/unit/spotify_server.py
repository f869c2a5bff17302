"""A real HTTP server that answers as Spotify does, and as the test tells it to."""

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
    """Gives the replies of `tokens` and `pages` in turn; the last one again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tokens = [a_grant()]
        self.pages = [a_page()]
        self.requests: list[Request] = []

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def reply(self, request: Request) -> Reply:
        self.requests.append(request)
        routes = {
            ("POST", "/api/token"): self.tokens,
            ("GET", "/v1/me/player/recently-played"): self.pages,
        }
        script = routes.get((request.method, request.path), [Reply(b"not found", 404)])
        return script.pop(0) if len(script) > 1 else script[0]


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
