"""ReccoBeats as a real HTTP server, for tests of everything that calls it."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from werkzeug import Request, Response

from infra.local.simulators.server import Server

AUDIO, METADATA = "/v1/audio-features", "/v1/track"
MOST_IDS = 40
"""ReccoBeats ignores further ids without notice."""


def an_audio_row(name: str, **values: Any) -> dict[str, Any]:
    """Return what ReccoBeats answers about the sound of the track whose id begins with a name."""
    row = {
        **_reference(name),
        "acousticness": 0.0755,
        "danceability": 0.679,
        "energy": 0.715,
        "instrumentalness": 0.0,
        "key": 9,
        "liveness": 0.271,
        "loudness": -6.383,
        "mode": 1,
        "speechiness": 0.0407,
        "tempo": 127.435,
        "valence": 0.571,
    }
    return row | values


def a_metadata_row(name: str, **values: Any) -> dict[str, Any]:
    """Return what ReccoBeats answers about the track itself."""
    row = {"trackTitle": "Paper Boats", "durationMs": 201_333, "ean": None, "popularity": 69}
    return {**_reference(name), **row, **values}


def _reference(name: str) -> dict[str, str]:
    href = f"https://open.spotify.com/track/{name:z<22}"
    return {"id": "0f0e0d0c-1111-4222-8333-444455556666", "href": href, "isrc": "QZAAA2600001"}


@dataclass(frozen=True)
class Call:
    """One request."""

    path: str
    ids: list[str]
    user_agent: str


class ReccoBeatsServer:
    """Knows every track that is not `unknown`, until a test sets another reply for a path."""

    def __init__(self) -> None:
        self.url = ""
        self.unknown: set[str] = set()
        self.calls: list[Call] = []
        self._replies: dict[str, Callable[[], Response]] = {}

    def answer_rows(self, path: str, *rows: Any) -> None:
        """Answer with these rows."""
        self.answer(path, json.dumps({"content": rows}).encode())

    def answer(self, path: str, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer with this body."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        # An iterator, because werkzeug corrects the Content-Length of a body that it can measure.
        self._replies[path] = lambda: Response(iter([body]), status, named)

    def fail(self, status: int, path: str = AUDIO, **headers: str) -> None:
        """Refuse each call."""
        self.answer(path, b"Too many requests", status, **headers)

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Serve one request, as WSGI asks."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        ids = request.args["ids"].split(",")
        self.calls.append(Call(request.path, ids, request.user_agent.string))
        if request.path in self._replies:
            return self._replies[request.path]()
        row = an_audio_row if request.path.endswith(AUDIO) else a_metadata_row
        known = [one for one in ids[:MOST_IDS] if one.rstrip("z") not in self.unknown]
        # Rows come in another order than the ids.
        return Response(json.dumps({"content": [row(one) for one in reversed(known)]}))


@contextmanager
def a_reccobeats_server() -> Iterator[ReccoBeatsServer]:
    """Serve on a free port of loopback."""
    reccobeats = ReccoBeatsServer()
    server = Server(reccobeats, "127.0.0.1", 0)
    reccobeats.url = f"http://127.0.0.1:{server.port}"
    try:
        yield reccobeats
    finally:
        server.stop()
