"""A stack in moto whose Postgres is real."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target
from shared.postgres import Address, Database

BUCKET = "archive"


class DatabaseTarget(Target):
    """A target whose outputs need no CloudFormation, and whose Postgres is the embedded one.

    `faults` are met one by one when a connection is asked for; None is no fault.
    """

    @cached_property
    def outputs(self) -> dict[str, str]:
        sqs = self.client("sqs")
        return {
            "ArchiveBucket": BUCKET,
            "ListenerSecretPrefix": "spotify-pipeline/listener/",
            "ListenerStateTable": "spotify-pipeline-listener-state",
            "SpotifyAppTable": "spotify-pipeline-spotify-app",
            "EnrichedPlaysQueueUrl": sqs.get_queue_url(QueueName="enriched-plays")["QueueUrl"],
            "EnrichedPlaysDlqUrl": sqs.get_queue_url(QueueName="enriched-plays-dlq")["QueueUrl"],
        }

    @property
    def address(self) -> Address:
        return self.reader_address

    @contextmanager
    def database(self) -> Iterator[Database]:
        raise_(next(self.faults, None))
        with super().database() as database:
            yield database


def raise_(fault: BaseException | None) -> None:
    if fault:
        raise fault


@pytest.fixture
def reader(address_of) -> Iterator[Database]:
    database = Database.connect(address_of("reader"))
    yield database
    database.close()


@pytest.fixture
def target(monkeypatch, database, address_of) -> Iterator[Target]:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "PLAYS_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with mock_aws():
        aws = boto3.Session(region_name="us-east-1")
        for name in ("enriched-plays", "enriched-plays-dlq"):
            aws.client("sqs").create_queue(QueueName=name)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        target = DatabaseTarget("aws", "SpotifyPipeline", aws)
        target.reader_address, target.faults = address_of("reader"), iter(())
        yield target


@pytest.fixture
def plays(target):
    """Run the command `plays` against the stack."""

    def run(*arguments: str):
        return CliRunner().invoke(app, arguments, obj=lambda: target)

    return run


@pytest.fixture
def loaded(database: Database):
    """Write down a batch as loaded, as the loader does."""

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
