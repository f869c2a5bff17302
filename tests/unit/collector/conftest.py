import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto import mock_aws

from services.collector.handler import handler, wire
from shared.aws import client
from shared.models import PlayBatch
from shared.spotify.rate_limits import AppState, SpotifyApps, fingerprint
from tests.unit.spotify_server import a_spotify_server

BUCKET = "plays-archive"
TABLE = "listener-state"
APPS = "spotify-app"
PREFIX = "plays/listener/"
QUEUE = "collected-plays"


@pytest.fixture
def spotify():
    with a_spotify_server() as server:
        yield server


@pytest.fixture(scope="module")
def fresh_clients():
    """Clear the cached clients, which other modules may have configured."""
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.fixture
def aws(monkeypatch, fresh_clients):
    """AWS by moto with the resources of the collector, before the first login."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        make_table(TABLE, "listener")
        make_table(APPS, "app")
        client("secretsmanager").create_secret(Name=PREFIX + "me")
        yield client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]


def make_table(name: str, key: str) -> None:
    client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
    )


@dataclass
class Pipeline:
    """The deployed collector, with access to its results."""

    queue_url: str
    capsys: pytest.CaptureFixture[str]

    def poll(self, listener: str = "me") -> dict[str, Any]:
        self.capsys.readouterr()
        return handler({"listener": listener}, a_context())

    def metrics(self) -> dict[str, list[float]]:
        """Return the metrics of the last poll."""
        lines = [json.loads(line) for line in self.capsys.readouterr().out.splitlines()]
        (emf,) = [line for line in lines if "_aws" in line]
        names = [m["Name"] for m in emf["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        return {name: emf[name] for name in names}

    def published(self) -> list[PlayBatch]:
        """Receive all messages of the queue."""
        sqs = client("sqs")
        bodies = []
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            bodies += [PlayBatch.model_validate_json(message["Body"]) for message in messages]
        return bodies

    def archived(self) -> list[str]:
        found = client("s3").list_objects_v2(Bucket=BUCKET)
        return [kept["Key"] for kept in found.get("Contents", [])]

    def state(self, listener: str = "me") -> dict[str, Any]:
        found = client("dynamodb").get_item(TableName=TABLE, Key={"listener": {"S": listener}})
        return json.loads(found["Item"]["state"]["S"]) if "Item" in found else {}

    def change_state(self, **changes: object) -> None:
        state = json.dumps(self.state() | changes)
        client("dynamodb").put_item(
            TableName=TABLE, Item={"listener": {"S": "me"}, "state": {"S": state}}
        )

    def app(self, client_id: str = "app") -> AppState:
        return SpotifyApps(client("dynamodb"), APPS).load(client_id)

    def end_the_rate_limit(self, client_id: str = "app") -> None:
        """Move the end of an app's rate limit into the past."""
        key = {"app": {"S": fingerprint(client_id)}}
        past = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        client("dynamodb").update_item(
            TableName=APPS,
            Key=key,
            UpdateExpression="SET blocked_until = :past",
            ExpressionAttributeValues={":past": {"S": past}},
        )

    def log_in(self, grant: str = "AQ-1", listener: str = "me", **more: object) -> None:
        secret = {
            "client_id": "app",
            "client_secret": "",
            "refresh_token": grant,
            "authorized_at": (datetime.now(UTC) - timedelta(days=30)).isoformat(),
        }
        self.put_secret(json.dumps(secret | more), listener)

    def put_secret(self, text: str, listener: str = "me") -> None:
        client("secretsmanager").put_secret_value(SecretId=PREFIX + listener, SecretString=text)

    def secret(self) -> dict[str, Any]:
        found = client("secretsmanager").get_secret_value(SecretId=PREFIX + "me")
        return json.loads(found["SecretString"])


def a_context() -> SimpleNamespace:
    return SimpleNamespace(
        function_name="collector",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:collector",
        aws_request_id="request-1",
    )


@pytest.fixture
def environment(aws, spotify, monkeypatch):
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "collector")
    monkeypatch.setenv("LISTENER_SECRET_PREFIX", PREFIX)
    monkeypatch.setenv("LISTENER_STATE_TABLE", TABLE)
    monkeypatch.setenv("SPOTIFY_APP_TABLE", APPS)
    monkeypatch.setenv("ARCHIVE_BUCKET", BUCKET)
    monkeypatch.setenv("COLLECTED_PLAYS_QUEUE_URL", aws)
    monkeypatch.setenv("SPOTIFY_API_URL", f"{spotify.url}/v1")
    monkeypatch.setenv("SPOTIFY_ACCOUNTS_URL", spotify.url)


@pytest.fixture
def logged_out(environment, aws, capsys):
    """The collector before the first login."""
    wire.cache_clear()
    yield Pipeline(aws, capsys)
    wire.cache_clear()


@pytest.fixture
def pipeline(logged_out):
    """The collector, with a login of 30 days ago."""
    logged_out.log_in()
    return logged_out
