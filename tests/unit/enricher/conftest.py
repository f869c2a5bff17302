import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from services.enricher import heal
from services.enricher.cache.pending import INDEX
from services.enricher.cache.table import TrackCache
from services.enricher.handler import wire
from shared.aws import client
from shared.models import EnrichedBatch
from tests.fakes.reccobeats import a_reccobeats_server
from tests.unit.enricher.examples import APPS, TABLE, Clock


@pytest.fixture
def reccobeats():
    with a_reccobeats_server() as server:
        yield server


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def dynamodb():
    """The tables as deployed, in moto."""
    index: Any = {
        "IndexName": INDEX,
        "KeySchema": [
            {"AttributeName": "misses", "KeyType": "HASH"},
            {"AttributeName": "retry_at", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    with mock_aws():
        dynamodb = boto3.client("dynamodb")
        make_table(
            dynamodb,
            TABLE,
            {"track_uri": "S", "misses": "N", "retry_at": "N"},
            GlobalSecondaryIndexes=[index],
        )
        make_table(dynamodb, APPS, {"app": "S"})
        yield dynamodb


def make_table(dynamodb, name, attributes, **more):
    """Create a table; its key is the first attribute."""
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": next(iter(attributes)), "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in attributes.items()
        ],
        **more,
    )


@pytest.fixture
def new_container(dynamodb):
    """Return the cache of a container that has just started: its memory is empty."""
    return lambda: TrackCache(dynamodb, TABLE)


class Loader:
    """Receives the messages of the queue to the loader, in place of SQS."""

    def __init__(self):
        self.batches = []

    def send_message(self, QueueUrl, MessageBody):
        self.batches.append(EnrichedBatch.model_validate_json(MessageBody))

    @property
    def plays(self):
        return [play for batch in self.batches for play in batch.plays]

    @property
    def tracks(self):
        """The tracks whose features were published."""
        return [features.track_uri for batch in self.batches for features in batch.features]


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def environment(dynamodb, reccobeats, monkeypatch):
    """The environment of the enricher as deployed; the url of the queue to the loader."""
    queue_url = boto3.client("sqs").create_queue(QueueName="enriched-plays")["QueueUrl"]
    variables = {
        "ENRICHED_PLAYS_QUEUE_URL": queue_url,
        "TRACK_CACHE_TABLE": TABLE,
        "FEATURE_SOURCES": "reccobeats",
        "RECCOBEATS_URL": reccobeats.url,
        "SPOTIFY_API_URL": "http://127.0.0.1:9",
        "SPOTIFY_ACCOUNTS_URL": "http://127.0.0.1:9",
        "SPOTIFY_APP_TABLE": APPS,
        "SPOTIFY_APP_SECRET": "",
        "SPOTIFY_DAILY_CALLS": "200",
        "TRACKS_PER_HEALING": "2000",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    forget_clients()
    yield queue_url
    forget_clients()


def forget_clients():
    for cached in (client, wire, heal.wire):
        cached.cache_clear()


@pytest.fixture
def published(environment):
    """Receive all batches from the queue to the loader, in order of their numbers."""
    sqs = boto3.client("sqs")

    def receive():
        batches = []
        while found := sqs.receive_message(QueueUrl=environment, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            batches += [EnrichedBatch.model_validate_json(m["Body"]) for m in found]
        return sorted(batches, key=lambda batch: batch.number)

    return receive


@pytest.fixture
def counted(capsys):
    """Return the numbers of learned and missed tracks that CloudWatch reads from the output."""

    def read():
        (line,) = [line for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
        metrics = json.loads(line)
        return metrics["TracksEnriched"], metrics["EnrichMisses"]

    return read
