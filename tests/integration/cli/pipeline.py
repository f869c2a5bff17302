"""The whole pipeline in one process, with moto for AWS, a real Postgres and a scripted Spotify."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from services.collector.backfill.s3_event import read_event
from services.collector.backfill.upload_handler import backfill
from services.enricher.domain.join import CollectedBatch, join
from services.loader.store import Store
from shared.archive import Archive, upload_key
from shared.models import EnrichedBatch, TrackFeatures, iso
from shared.postgres import Database
from shared.queues import Queue
from tests.fakes.aws import MemoryAws, Steps
from tests.fakes.spotify import RotatingSpotify, a_page, a_row, json_reply
from tests.unit.collector.capture import a_collector

BUCKET = "archive"
QUEUES = ("uploaded-files", "collected-plays", "enriched-plays")
TABLES = (
    "listening_history", "merged_record", "poll", "gap", "loaded_batch", "import_report",
)  # fmt: skip
CONTENT = {
    "plays": "SELECT to_jsonb(h) - 'id' - 'loaded_at' FROM listening_history h ORDER BY 1",
    "records": "SELECT to_jsonb(r) - 'play_id', h.played_at, h.track_uri FROM merged_record r "
    "JOIN listening_history h ON h.id = r.play_id ORDER BY 1",
    "gaps": "SELECT to_jsonb(g) - 'id' - 'opened_at' - 'closed_at', closed_at IS NULL FROM gap g "
    "ORDER BY 1",
    "polls": "SELECT to_jsonb(p) FROM poll p ORDER BY 1",
    "uploads": "SELECT to_jsonb(r) - 'reported_at' FROM import_report r ORDER BY 1",
}
LEDGER = """
SELECT NOT EXISTS (
    SELECT FROM (SELECT listener, count(*) AS plays FROM listening_history GROUP BY listener) h
    FULL JOIN (
        SELECT listener, sum(inserted + regrouped) AS booked FROM loaded_batch GROUP BY listener
    ) b USING (listener)
    WHERE coalesce(plays, 0) <> coalesce(booked, 0)
)
"""


class Clients:
    """The clients of S3, SQS, DynamoDB and Secrets Manager as one, for the collector."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._clients = [client(name) for name in ("s3", "sqs", "dynamodb", "secretsmanager")]
        _, _, dynamodb, secrets = (each.exceptions for each in self._clients)
        self.exceptions = SimpleNamespace(
            ResourceNotFoundException=secrets.ResourceNotFoundException,
            ConditionalCheckFailedException=dynamodb.ConditionalCheckFailedException,
        )

    def __getattr__(self, name: str) -> Any:
        return next(getattr(each, name) for each in self._clients if hasattr(each, name))


class Pipeline:
    """The collector, the backfill and the loader, called one after another; `me` is polled."""

    def __init__(self, target: Any, database: Database, owner: Database, now: datetime) -> None:
        self.now = now
        self._owner = owner
        self._clients = Clients(target.client)
        self._sqs = target.client("sqs")
        self._s3 = target.client("s3")
        self.store = Store(database)
        self.features: dict[str, TrackFeatures] = {}
        self.listeners = ["me"]
        self._urls = {name: self._sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in QUEUES}
        self._target = target
        self.spotify = RotatingSpotify(Steps().step, lambda: self.now, self._login)
        self._collector = a_collector(
            cast("MemoryAws", self._clients),
            self.spotify.session(),
            self.spotify.url,
            lambda: self.now,
        )
        self._collector._queue = Queue(self._sqs, self._urls["collected-plays"])  # noqa: SLF001 - its fake URL

    def _login(self) -> str:
        secret = self._clients.get_secret_value(SecretId="listener/me")
        return json.loads(secret["SecretString"])["refresh_token"]

    def poll(self, *hours_ago: float, after_h: float = 0) -> None:
        """Let time pass, then poll; the answer shows plays that ended some hours before."""
        self.now += timedelta(hours=after_h)
        rows = [
            a_row(
                iso(self.now - timedelta(hours=ago)),
                name=f"{self.now - timedelta(hours=ago):%d%H%M}",
            )
            for ago in sorted(hours_ago)
        ]
        self.spotify.pages = [a_page(*rows)]
        assert self._collector.poll("me").status == "polled"

    def fail(self, after_h: float) -> None:
        """Let time pass, then poll while Spotify refuses the login."""
        self.now += timedelta(hours=after_h)
        self.spotify.tokens = [json_reply({"error": "invalid_grant"}, status=400)]
        assert self._collector.poll("me").status == "needs-login"
        self.spotify.tokens = [self.spotify.trade]

    def upload(self, name: str, content: bytes, listener: str = "me") -> None:
        """Put a file into the archive; S3 sends its event."""
        key = upload_key(listener, name)
        version = self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]
        event = {
            "detail-type": "Object Created",
            "detail": {
                "bucket": {"name": BUCKET},
                "object": {"key": key, "size": len(content), "version-id": version},
            },
        }
        self._sqs.send_message(QueueUrl=self._urls["uploaded-files"], MessageBody=json.dumps(event))

    def drain(self) -> None:
        """Pass every message on until the queues are empty."""
        archive = Archive(self._s3, BUCKET)
        collected = Queue(self._sqs, self._urls["collected-plays"])
        for body in self._take("uploaded-files"):
            backfill(read_event(body, BUCKET), archive, collected, self.listeners, lambda: False)
        for body in self._take("collected-plays"):
            batch = join(CollectedBatch.model_validate_json(body), self.features)
            enriched = batch.model_dump_json(exclude_none=True)
            self.store.load([EnrichedBatch.model_validate_json(enriched)])

    def _take(self, name: str) -> list[str]:
        bodies = []
        while found := self._sqs.receive_message(
            QueueUrl=self._urls[name], MaxNumberOfMessages=10
        ).get("Messages"):
            for message in found:
                bodies.append(message["Body"])
                self._sqs.delete_message(
                    QueueUrl=self._urls[name], ReceiptHandle=message["ReceiptHandle"]
                )
        return bodies

    def is_empty(self, name: str) -> bool:
        """Empty a queue; return True if it held no message."""
        return not self._take(name)

    def lose_messages(self) -> None:
        """Lose what is in the queues, as a crash of the AWS emulator does."""
        for name in QUEUES:
            self._take(name)

    def lose_state(self) -> None:
        """Lose what the collector knows, as a crash of the AWS emulator does."""
        self._clients.delete_item(TableName="listener-state", Key={"listener": {"S": "me"}})

    def dump(self) -> None:
        """Back up the tables within the database."""
        for table in TABLES:
            self._owner.run(f"DROP TABLE IF EXISTS derived.dump_{table}")
            self._owner.run(f"CREATE TABLE derived.dump_{table} AS TABLE {table}")

    def restore(self) -> None:
        """Replace the tables by their backup."""
        self._owner.run(f"TRUNCATE {', '.join(TABLES)}")
        for table in TABLES:
            self._owner.run(f"INSERT INTO {table} TABLE derived.dump_{table}")

    def content(self) -> dict[str, list[Any]]:
        """Return what is stored, without ids and times of loading."""
        return {name: self._owner.run(statement) for name, statement in CONTENT.items()}

    def ledger_adds_up(self) -> bool:
        return bool(self._owner.run(LEDGER)[0][0])


def history(*rows: dict[str, Any]) -> bytes:
    """Return an export file of these rows."""
    return json.dumps(rows).encode()
