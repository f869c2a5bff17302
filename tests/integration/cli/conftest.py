"""A stack in moto with a real Postgres, read directly and by the function `queries`."""

import io
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target
from infra.local.memory import Memory
from infra.local.pidfile import held
from infra.local.ports import HOST
from infra.local.state import SUPERVISOR
from services.loader import queries
from shared.postgres import Address, Database
from shared.queries import Reader
from tests.fakes.track_cache import TRACK_CACHE, create_track_cache
from tests.unit.cli.cloud_state import a_cloud_state
from tests.unit.loader.loader_examples import CONTEXT

BUCKET = "archive"
LISTENER_STATES = "spotify-pipeline-listener-state"


class Lambda:
    """Lambda whose functions run in this process, with JSON in and out; me is deployed."""

    def __init__(self, functions):
        self.functions = functions

    def get_function_configuration(self, FunctionName):
        assert FunctionName == "derive"
        return {"Environment": {"Variables": {"LISTENERS": "me"}}}

    def invoke(self, FunctionName, Payload):
        try:
            answer = self.functions[FunctionName](json.loads(Payload), CONTEXT)
        except Exception as error:  # noqa: BLE001 - as Lambda does
            fault = {"errorMessage": str(error), "errorType": type(error).__name__}
            return {"FunctionError": "Unhandled", "Payload": io.BytesIO(json.dumps(fault).encode())}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


class DatabaseTarget(Target):
    """A target whose outputs need no CloudFormation, and whose Postgres is the embedded one.

    Each request for a connection raises the next of `faults`; None raises nothing.
    """

    functions: dict[str, Any]
    reader_address: Address
    faults: Iterator[BaseException | None]

    @cached_property
    def outputs(self) -> dict[str, str]:
        sqs = self.client("sqs")
        return {
            "ArchiveBucket": BUCKET,
            "ListenerSecretPrefix": "spotify-pipeline/listener/",
            "ListenerStateTable": LISTENER_STATES,
            "SpotifyAppTable": "spotify-pipeline-spotify-app",
            "TrackCacheTable": TRACK_CACHE,
            "EnrichedPlaysQueueUrl": sqs.get_queue_url(QueueName="enriched-plays")["QueueUrl"],
            "EnrichedPlaysDlqUrl": sqs.get_queue_url(QueueName="enriched-plays-dlq")["QueueUrl"],
            "CollectorFunction": "collector",
            "QueriesFunction": "queries",
            "DeriveFunction": "derive",
        }

    def client(self, service: str):
        return Lambda(self.functions) if service == "lambda" else super().client(service)

    @property
    def address(self) -> Address:
        return self.reader_address

    @contextmanager
    def database(self) -> Iterator[Reader]:
        if fault := next(self.faults, None):
            raise fault
        with super().database() as database:
            yield database


@pytest.fixture
def reader(address_of) -> Iterator[Database]:
    with closing(Database.connect(address_of("reader"))) as database:
        yield database


@pytest.fixture(params=["by a forwarded port", "by the function"])
def target(request, deployment, database, address_of) -> Target:
    deployment.know("reader")
    aws = boto3.Session(region_name="us-east-1")
    for name in ("enriched-plays", "enriched-plays-dlq"):
        aws.client("sqs").create_queue(QueueName=name)
    create_track_cache(aws.client("dynamodb"))
    aws.client("dynamodb").create_table(
        TableName=LISTENER_STATES,
        KeySchema=[{"AttributeName": "listener", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "listener", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.client("s3").create_bucket(Bucket=BUCKET)
    # Moto's versions are random, and tests load the report of an upload before it is sent.
    aws.events.register(
        "after-call.s3.HeadObject", lambda parsed, **_: parsed.update(VersionId="1")
    )
    address = address_of("reader")
    via = (address.host, address.port) if request.param == "by a forwarded port" else None
    target = DatabaseTarget("aws", "SpotifyPipeline", aws, via=via)
    target.reader_address, target.faults = replace(address, via=via), iter(())

    def derive(_event, _context):
        # The function's own role has a password that is unknown here.
        return {"months_left": database.run("SELECT derived.refresh(1000)")[0][0]}

    target.functions = {"queries": queries.handler, "derive": derive}
    return target


@pytest.fixture
def plays(target):
    """Run the command `plays` against the stack."""

    def run(*arguments: str):
        return CliRunner().invoke(app, arguments, obj=lambda: target)

    return run


@pytest.fixture
def loaded(database: Database):
    """Insert a loaded batch, as the loader does."""

    def load(origin: str, number: int, inserted: int, upgraded: int = 0, duplicates: int = 0):
        database.run(
            "INSERT INTO loaded_batch VALUES "
            "(:origin, :number, 'me', :plays, :inserted, :upgraded, :duplicates, 0)",
            origin=origin,
            number=number,
            plays=inserted + upgraded + duplicates,
            inserted=inserted,
            upgraded=upgraded,
            duplicates=duplicates,
        )

    return load


@pytest.fixture
def home(tmp_path, owner, address_of):
    """A home in which a local cloud seems to run, because this process holds its pid file."""
    reader = address_of("reader")
    with held(tmp_path / SUPERVISOR):
        a_cloud_state(
            access_key=Memory().access_key,
            database_url=f"postgresql://reader:{reader.password}@{HOST}:{reader.port}/spotify",
            log_dir=tmp_path,
        ).save(tmp_path)
        yield tmp_path
