"""The real collector with AWS in dicts, a simulated Spotify, its own clock, and planned crashes."""

import json
import operator
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import requests
from requests.adapters import HTTPAdapter

from services.collector.credentials import AccessTokens, CredentialStore
from services.collector.poll import Collector, Outcome
from services.collector.state import ListenerStates
from shared.archive import Archive
from shared.errors import SpotifyError
from shared.models import Play, PlayBatch
from shared.queues import Queue
from shared.spotify.api import SpotifyAccounts, SpotifyApi
from shared.spotify.rate_limits import SpotifyApps
from shared.telemetry import metrics
from tests.unit.spotify_server import Reply, a_grant, a_page, json_reply

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
URL = "http://spotify.test"
TOKEN = "/api/token"  # noqa: S105 - a path, not a password
STEPS = 10
"""The calls of one poll to AWS and Spotify."""


class CrashError(Exception):
    """The process has crashed."""


class ConditionFailedError(Exception):
    """DynamoDB's ConditionalCheckFailedException."""


@dataclass
class Steps:
    """Counts the steps of a poll; crashes before or after step `crash`."""

    crash: tuple[int, str] | None = None
    taken: int = 0

    @contextmanager
    def step(self) -> Iterator[None]:
        number, self.taken = self.taken, self.taken + 1
        if self.crash == (number, "before"):
            raise CrashError
        yield
        if self.crash == (number, "after"):
            raise CrashError


class MemoryAws:
    """The boto3 calls of the collector to S3, SQS, DynamoDB and Secrets Manager."""

    exceptions = SimpleNamespace(
        ResourceNotFoundException=KeyError, ConditionalCheckFailedException=ConditionFailedError
    )

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.objects: dict[str, bytes] = {}
        self.bodies: list[str] = []
        self.items: dict[tuple[str, str], Any] = {}
        self.secret = ""

    @property
    def refresh_token(self) -> str:
        """The stored refresh token."""
        return str(json.loads(self.secret)["refresh_token"])

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        with self._steps.step():
            self.objects[Key] = Body

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:
        with self._steps.step():
            self.bodies.append(MessageBody)

    def get_item(self, *, TableName: str, Key: Any, ConsistentRead: bool) -> Any:
        ((_, key),) = Key.items()
        with self._steps.step():
            found = self.items.get((TableName, key["S"]))
            return {"Item": found} if found else {}

    def put_item(self, *, TableName: str, Item: Any) -> None:
        with self._steps.step():
            self.items[TableName, Item["listener"]["S"]] = Item

    def update_item(
        self,
        *,
        TableName: str,
        Key: Any,
        UpdateExpression: str,
        ExpressionAttributeValues: Any,
        ReturnValues: str,
        ConditionExpression: str = "",
    ) -> Any:
        ((_, key),) = Key.items()
        with self._steps.step():
            item = self.items.get((TableName, key["S"]), Key)
            if ConditionExpression and not _holds(
                ConditionExpression, item, ExpressionAttributeValues
            ):
                raise ConditionFailedError
            changed = _changed(UpdateExpression, item, ExpressionAttributeValues)
            self.items[TableName, key["S"]] = changed
            return {"Attributes": changed}

    def get_secret_value(self, *, SecretId: str) -> Any:
        with self._steps.step():
            return {"SecretString": self.secret}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        with self._steps.step():
            self.secret = SecretString


def _holds(condition: str, item: Any, values: Any) -> bool:
    """True if a condition of `shared.spotify.rate_limits` holds."""

    def holds(term: str) -> bool:
        if found := re.fullmatch(r"attribute_not_exists\((\w+)\)", term):
            return found[1] not in item
        name, sign, value = term.split()
        compare = {"=": operator.eq, "<": operator.lt, ">": operator.gt}[sign]
        return name in item and compare(
            *(next(iter(v.values())) for v in (item[name], values[value]))
        )

    return any(all(map(holds, way.split(" AND "))) for way in condition.split(" OR "))


def _changed(expression: str, item: Any, values: Any) -> Any:
    """Apply an update expression of `shared.spotify.rate_limits`."""
    if expression.startswith("REMOVE "):
        gone = expression.removeprefix("REMOVE ").split(", ")
        return {name: value for name, value in item.items() if name not in gone}
    if expression == "ADD refusals :one":
        refusals = int(item.get("refusals", {"N": "0"})["N"]) + int(values[":one"]["N"])
        return item | {"refusals": {"N": str(refusals)}}
    return item | {"blocked_until": values[":until"]}


class ScriptedSpotify(HTTPAdapter):
    """Shows `rows`, and rotates the refresh token with each access token.

    Only the newest refresh token is valid, as for PKCE apps until mid-2026. `refusal` is a path and
    the answer to it.
    """

    def __init__(self, steps: Steps, aws: MemoryAws, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._steps = steps
        self._aws = aws
        self._clock = clock
        self.refusal: tuple[str, Reply] | None = None
        self.blocked_until = clock()
        self.calls_while_blocked = 0
        self.rows: list[object] = []
        self.calls: Counter[str] = Counter()
        self.used_too_early = 0
        """Calls with an access token whose refresh token was not stored yet."""
        self.newest = "AQ-0"
        self.used_too_late = 0
        """Uses of an old refresh token."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        with self._steps.step():
            path = request.path_url.partition("?")[0]
            self.calls[path] += 1
            self.calls_while_blocked += self._clock() < self.blocked_until
            if self.refusal and self.refusal[0] == path:
                return as_response(self._refuse(self.refusal[1]))
            reply = self._trade(request) if path == TOKEN else self._show(request)
        # If the answer is lost, the old token stays valid; in reality the listener must log in.
        if path == TOKEN:
            self.newest = json.loads(reply.body).get("refresh_token", self.newest)
        return as_response(reply)

    def _refuse(self, reply: Reply) -> Reply:
        wait_s = int(reply.headers.get("Retry-After", 0))
        self.blocked_until = max(self.blocked_until, self._clock() + timedelta(seconds=wait_s))
        return reply

    def _trade(self, request: requests.PreparedRequest) -> Reply:
        if parse_qs(str(request.body))["refresh_token"] != [self.newest]:
            self.used_too_late += 1
            return json_reply({"error": "invalid_grant"}, 400)
        number = self.calls[TOKEN]
        return a_grant(f"BQ-{number}", rotated_to=f"AQ-{number}")

    def _show(self, request: requests.PreparedRequest) -> Reply:
        persisted = self._aws.refresh_token
        self.used_too_early += request.headers["Authorization"] != f"Bearer BQ{persisted[2:]}"
        return a_page(*self.rows)


def as_response(reply: Reply) -> requests.Response:
    response = requests.Response()
    response.status_code = reply.status
    response.headers.update(reply.headers)
    response.raw = BytesIO(reply.body)
    return response


@dataclass
class World:
    """One listener, logged in at the start."""

    now: datetime = START
    steps: Steps = field(default_factory=Steps)

    def __post_init__(self) -> None:
        self.shown: list[Any] = []
        """The plays of the answered polls; the test fills it."""
        self.aws = MemoryAws(self.steps)
        self.aws.secret = json.dumps(
            {"client_id": "app", "refresh_token": "AQ-0", "authorized_at": START.isoformat()}
        )
        self.spotify = ScriptedSpotify(self.steps, self.aws, lambda: self.now)
        self.restart()

    def restart(self) -> None:
        """Start a new container without state.

        In reality a refresh token that was not stored is lost, and the listener must log in again.
        Here the stored one stays valid, so that the test can go on.
        """
        self.spotify.newest = self.aws.refresh_token
        session = requests.Session()
        session.mount(URL, self.spotify)
        credentials = CredentialStore(self.aws, "listener/")
        self.collector = Collector(
            spotify=SpotifyApi(session, URL),
            credentials=credentials,
            tokens=AccessTokens(SpotifyAccounts(session, URL), credentials, lambda: self.now),
            states=ListenerStates(self.aws, "listener-state"),
            apps=SpotifyApps(self.aws, "spotify-app"),
            archive=Archive(self.aws, "archive"),
            queue=Queue(self.aws, "queue"),
            clock=lambda: self.now,
        )

    def poll(self, crash: tuple[int, str] | None = None) -> Outcome | None:
        """Poll; None if it crashed or failed on the way."""
        self.steps.crash, self.steps.taken = crash, 0
        metrics.clear_metrics()
        try:
            return self.collector.poll("me")
        except (CrashError, SpotifyError):
            return None

    def batches(self) -> list[PlayBatch]:
        """Return all messages in order."""
        return list(map(PlayBatch.model_validate_json, self.aws.bodies))

    def published(self) -> list[Play]:
        """Return the plays of all messages in order."""
        return [play for batch in self.batches() for play in batch.plays]
