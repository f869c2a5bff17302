import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto import mock_aws

from services.enricher import heal
from services.enricher.cache.pending import INDEX
from services.enricher.cache.table import TrackCache
from services.enricher.handler import wire
from shared.aws import client
from tests.unit.enricher.examples import Clock

TABLE = "track-cache"
APPS = "spotify-app"
PLAIN_TABLE = "table-without-index"
AUDIO = "/v1/audio-features"
METADATA = "/v1/track"


def an_audio_row(track_id):
    return {
        "id": "0f0e0d0c-1111-4222-8333-444455556666",
        "href": f"https://open.spotify.com/track/{track_id:z<22}",
        "isrc": "QZAAA2600001",
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


def a_metadata_row(track_id):
    return {
        "id": "0f0e0d0c-1111-4222-8333-444455556666",
        "trackTitle": "Paper Boats",
        "durationMs": 201_333,
        "isrc": "QZAAA2600001",
        "ean": None,
        "href": f"https://open.spotify.com/track/{track_id:z<22}",
        "popularity": 69,
    }


Reply = tuple[int, dict[str, str], bytes]
"""A status, headers and a body."""


@dataclass
class Call:
    path: str
    ids: list[str]
    user_agent: str


@dataclass
class ReccoBeatsServer:
    """Answers from `rows`, or with the reply for a path in `replies`."""

    url: str
    unknown: set[str] = field(default_factory=set)
    rows: dict[str, Callable[[str], dict[str, Any]]] = field(
        default_factory=lambda: {AUDIO: an_audio_row, METADATA: a_metadata_row}
    )
    replies: dict[str, Reply] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def reply(self, call):
        self.calls.append(call)
        rows = [
            self.rows[call.path](one) for one in call.ids if one.rstrip("z") not in self.unknown
        ]
        # Rows come in another order than the ids.
        known: Reply = (200, {}, json.dumps({"content": rows[::-1]}).encode())
        return self.replies.get(call.path, known)

    def fail(self, status, path=AUDIO, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.replies[path] = (status, named, b"Too many requests")

    def recover(self):
        self.replies.clear()

    def answer(self, path, body):
        self.replies[path] = (200, {}, body)

    def answer_rows(self, path, *rows):
        self.answer(path, json.dumps({"content": rows}).encode())


@pytest.fixture
def reccobeats():
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            target = urlsplit(self.path)
            ids = parse_qs(target.query).get("ids", [""])[0].split(",")
            status, headers, body = server.reply(
                Call(target.path, ids, self.headers.get("User-Agent", ""))
            )
            self.send_response(status)
            # Keep-alive would let threads of the server outlive their test.
            more = {"Content-Length": str(len(body)), "Connection": "close"}
            self.send_headers({**more, **headers})
            self.wfile.write(body)

        def send_headers(self, headers):
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server = ReccoBeatsServer(f"http://127.0.0.1:{http.server_port}")
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        http.shutdown()
        thread.join()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dynamodb():
    """The tables as deployed, and one without its index, in moto."""
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        table: Any = {
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "track_uri", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "track_uri", "AttributeType": "S"}],
        }
        dynamodb.create_table(TableName=PLAIN_TABLE, **table)
        numbers = [{"AttributeName": n, "AttributeType": "N"} for n in ("misses", "retry_at")]
        index: Any = {
            "IndexName": INDEX,
            "KeySchema": [
                {"AttributeName": "misses", "KeyType": "HASH"},
                {"AttributeName": "retry_at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        table["AttributeDefinitions"] += numbers
        dynamodb.create_table(TableName=TABLE, GlobalSecondaryIndexes=[index], **table)
        dynamodb.create_table(
            TableName=APPS,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "app", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "app", "AttributeType": "S"}],
        )
        yield dynamodb


@pytest.fixture
def new_container(dynamodb):
    """Return the cache of a container that has just started: its memory is empty."""
    return lambda: TrackCache(dynamodb, TABLE)


@pytest.fixture
def environment(dynamodb, reccobeats, monkeypatch):
    """The environment of the enricher as deployed; the url of the queue to the loader."""
    queue_url = boto3.client("sqs").create_queue(QueueName="enriched-plays")["QueueUrl"]
    monkeypatch.setenv("ENRICHED_PLAYS_QUEUE_URL", queue_url)
    monkeypatch.setenv("TRACK_CACHE_TABLE", TABLE)
    monkeypatch.setenv("FEATURE_SOURCES", "reccobeats")
    monkeypatch.setenv("RECCOBEATS_URL", reccobeats.url)
    monkeypatch.setenv("SPOTIFY_API_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SPOTIFY_APP_TABLE", APPS)
    monkeypatch.setenv("SPOTIFY_APP_SECRET", "")
    monkeypatch.setenv("SPOTIFY_DAILY_CALLS", "200")
    monkeypatch.setenv("TRACKS_PER_HEALING", "2000")
    for forget in (client.cache_clear, wire.cache_clear, heal.wire.cache_clear):
        forget()
    yield queue_url
    for forget in (client.cache_clear, wire.cache_clear, heal.wire.cache_clear):
        forget()
