"""AWS and ReccoBeats in memory, so that a benchmark measures only our handlers and Postgres.

`install()` replaces boto3's clients and the HTTP adapter of requests. The handlers, their settings
and their `wire()` are the deployed ones.
"""

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

import boto3
import requests
from requests.adapters import HTTPAdapter

from shared.postgres import Address

BUCKET = "archive"
FEATURES = (
    '{"href":"https://open.spotify.com/track/{id}","danceability":0.5,"energy":0.6,"key":1,'
    '"loudness":-6.5,"mode":1,"speechiness":0.1,"acousticness":0.2,"instrumentalness":0.0,'
    '"liveness":0.1,"valence":0.4,"tempo":120.5}'
)
METADATA = '{"href":"https://open.spotify.com/track/{id}","durationMs":201333,"popularity":69}'

calls: Counter[str] = Counter()
"""Calls of this process, by service or host."""


class MemoryS3:
    """S3 whose objects are files of a folder, named by the last part of the key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_object(self, *, Key: str, **_: str) -> dict[str, BinaryIO]:  # noqa: N803 - boto3's
        """Return the opened file."""
        calls["s3"] += 1
        return {"Body": (self._folder / Key.rpartition("/")[2]).open("rb")}

    def upload_fileobj(self, file: BinaryIO, _bucket: str, _key: str) -> None:
        """Read the upload and discard it."""
        calls["s3"] += 1
        while file.read(1 << 20):
            pass


class MemorySqs:
    """SQS that passes each message to `deliver`."""

    def __init__(self, deliver: Callable[[str], None]) -> None:
        self._deliver = deliver

    def send_message(self, **message: str) -> None:
        """Deliver a message."""
        calls["sqs"] += 1
        self._deliver(message["MessageBody"])


class MemoryDynamoDb:
    """DynamoDB with one table, kept in a dict."""

    def __init__(self) -> None:
        self._items: dict[str, Any] = {}

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's
        """Return those of the requested items that exist."""
        calls["dynamodb"] += 1
        ((table, wanted),) = RequestItems.items()
        keys = [key["track_uri"]["S"] for key in wanted["Keys"]]
        return {"Responses": {table: [self._items[k] for k in keys if k in self._items]}}

    def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's
        """Put all items of the request."""
        calls["dynamodb"] += 1
        ((_, requests_),) = RequestItems.items()
        for request in requests_:
            item = request["PutRequest"]["Item"]
            self._items[item["track_uri"]["S"]] = item
        return {}


class InstantReccoBeats(HTTPAdapter):
    """ReccoBeats with features of every track, which answers without a network."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """Answer one request as ReccoBeats does."""
        url = urlsplit(str(request.url))
        calls[url.hostname or "?"] += 1
        ids = parse_qs(url.query)["ids"][0].split(",")
        row = FEATURES if url.path.endswith("/audio-features") else METADATA
        rows = ",".join(row.replace("{id}", id_) for id_ in ids)
        response = requests.Response()
        response.status_code = 200
        response.raw = BytesIO(f'{{"content":[{rows}]}}'.encode())
        return response


class MemoryParameters:
    """A Parameter Store with the login and the host of one database."""

    def __init__(self, address: Address) -> None:
        self._known = {"login": address.login, "host": address.host}

    def get_parameter(self, Name: str, **_: Any) -> dict[str, dict[str, str]]:  # noqa: N803 - boto3's name
        """Return the login or the host."""
        return {"Parameter": {"Value": self._known[Name]}}


def install(
    *,
    uploads: Path = Path(),
    deliver: Callable[[str], None] | None = None,
    address: Address | None = None,
) -> None:
    """Replace AWS and ReccoBeats in this process by the classes above."""
    fakes: dict[str, Any] = {"s3": MemoryS3(uploads), "dynamodb": MemoryDynamoDb()}
    if deliver:
        fakes["sqs"] = MemorySqs(deliver)
    if address:
        fakes["ssm"] = MemoryParameters(address)
    boto3.client = lambda service, **_: fakes[service]  # type: ignore[assignment] # the seam
    HTTPAdapter.send = InstantReccoBeats.send  # type: ignore[method-assign,assignment] # likewise
