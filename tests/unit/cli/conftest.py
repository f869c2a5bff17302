"""A deployed stack in moto, and a Postgres that is unavailable."""

import io
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from types import MappingProxyType
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cli.errors import CommandError
from cli.main import app
from cli.target import Target
from shared.errors import DatabaseAwayError
from tests.fakes.track_cache import TRACK_CACHE, create_track_cache

BUCKET = "archive"
SPOTIFY_APPS = "spotify-app"
LISTENER_SECRETS = "spotify-pipeline/listener/"
LISTENER_STATES = "spotify-pipeline-listener-state"
QUEUES = {
    "CollectedPlaysQueueUrl": "spotify-pipeline-collected-plays",
    "CollectedPlaysDlqUrl": "spotify-pipeline-collected-plays-dlq",
    "FailedTicksQueueUrl": "spotify-pipeline-failed-ticks",
}


class KnownTarget(Target):
    """A target whose outputs need no CloudFormation, and whose Postgres is unavailable."""

    fault = DatabaseAwayError("connection refused")
    variables = MappingProxyType(
        {
            "SPOTIFY_API_URL": "https://api.example",
            "SPOTIFY_ACCOUNTS_URL": "https://accounts.example",
        }
    )
    """Of the deployed collector."""
    removed: frozenset[str] = frozenset()
    """Listeners with a secret who are not deployed."""

    def client(self, service: str) -> Any:
        """Return moto's client, also with the state of a local cloud; Lambda is this object."""
        return self if service == "lambda" else self.session.client(service)  # type: ignore[call-overload]  # by its name

    def get_function_configuration(self, FunctionName):
        listeners = [name for name in self._with_secret() if name not in self.removed]
        variables = {
            "collector": self.variables,
            "DeriveFunction": {"LISTENERS": ",".join(listeners or ["me"])},
        }
        return {
            "Environment": {"Variables": variables.get(FunctionName, {})},
            "LoggingConfig": {"LogGroup": f"/spotify-pipeline/{FunctionName}"},
        }

    def _with_secret(self):
        secrets = self.client("secretsmanager").list_secrets()["SecretList"]
        names = [secret["Name"] for secret in secrets]
        return [
            name.removeprefix(LISTENER_SECRETS)
            for name in names
            if name.startswith(LISTENER_SECRETS)
        ]

    def call(self, name, _event):
        raise CommandError(f"the {name.lower()} does not run here")

    @cached_property
    def outputs(self) -> dict[str, str]:
        sqs = self.client("sqs")
        urls = {key: sqs.get_queue_url(QueueName=name)["QueueUrl"] for key, name in QUEUES.items()}
        return {
            **urls,
            "ArchiveBucket": BUCKET,
            "ListenerSecretPrefix": LISTENER_SECRETS,
            "ListenerStateTable": LISTENER_STATES,
            "CollectorFunction": "collector",
            "DeriveFunction": "DeriveFunction",
            "EnricherFunction": "enricher",
            "SpotifyAppTable": SPOTIFY_APPS,
            "TrackCacheTable": TRACK_CACHE,
        }

    @property
    def database_url(self) -> str:
        return "postgresql://reader@database.example:5432/spotify"

    @property
    def report_url(self) -> str:
        return "postgresql://report_reader@database.example:5432/spotify"

    @contextmanager
    def database(self) -> Iterator[Any]:
        raise self.fault
        yield


class InvokedTarget:
    """A target with one function, which returns prepared answers in order."""

    def __init__(self, function, *answers, deployed=None):
        self.events = []
        self._deployed = deployed
        self._function = function
        self._answers = list(answers)

    call: Any = Target.call

    def client(self, service):
        return self if service == "lambda" else self._deployed.client(service)

    def output(self, key):
        return self._deployed.outputs.get(key, key) if self._deployed else key

    def invoke(self, FunctionName, Payload):
        assert FunctionName == self._function
        self.events.append(json.loads(Payload))
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return {"Payload": io.BytesIO(json.dumps(answer).encode())} | answer.get("response", {})


@pytest.fixture
def invoking(target):
    """Run a command against one function with these answers; return its result and the events."""

    def run(command, function, *answers, arguments=()):
        invoked = InvokedTarget(function, *answers, deployed=target)
        result = CliRunner().invoke(app, [command, *arguments], obj=lambda: invoked)
        return result, invoked.events

    return run


@pytest.fixture
def terminal():
    """The two ends of a terminal: of the person, and of the program."""
    ends = os.openpty()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def at_terminal(terminal):
    """Replace stdin by a terminal, and type lines on it."""
    before, (person, program) = os.dup(0), terminal
    os.dup2(program, 0)
    yield lambda *lines: os.write(person, "".join(f"{line}\n" for line in lines).encode())
    os.dup2(before, 0)
    os.close(before)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder as the home of the local cloud."""
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def session(monkeypatch) -> boto3.Session:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL", "PLAYS_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return boto3.Session(region_name="eu-west-1")


@pytest.fixture
def aws(session) -> Iterator[boto3.Session]:
    with mock_aws():
        yield session


@pytest.fixture
def target(aws) -> KnownTarget:
    """A deployed stack with queues, a versioned bucket and the collector's tables."""
    for name in QUEUES.values():
        aws.client("sqs").create_queue(QueueName=name)
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for table, key in ((LISTENER_STATES, "listener"), (SPOTIFY_APPS, "app")):
        aws.client("dynamodb").create_table(
            TableName=table,
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    create_track_cache(aws.client("dynamodb"))
    return KnownTarget("aws", "SpotifyPipeline", aws)


@pytest.fixture
def listeners(target):
    """Deploy the listeners me and anna, without logins."""
    for name in ("me", "anna"):
        target.session.client("secretsmanager").create_secret(Name=f"{LISTENER_SECRETS}{name}")


@pytest.fixture
def plays(target):
    """Run the command `plays` against the stack."""

    def run(*arguments: str):
        return CliRunner().invoke(app, arguments, obj=lambda: target)

    return run


@pytest.fixture
def ctrl_c():
    """Enable Ctrl-C, which a shell disables in its background processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
