"""AWS, by moto and in memory.

Use moto where the behaviour of AWS itself matters. It takes milliseconds for each call, so what
makes thousands of calls uses `MemoryAws`, which can also crash the process at a planned call.
"""

import operator
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from moto import mock_aws

from shared.aws import client

BUCKET = "archive"


class Cloud:
    """A versioned bucket and a queue in moto."""

    def __init__(self) -> None:
        self.s3, self.sqs = client("s3"), client("sqs")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.queue_url = self.sqs.create_queue(QueueName="collected-plays")["QueueUrl"]

    def upload(self, key: str, content: bytes) -> str:
        """Put a file into the bucket; return its version."""
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)["VersionId"]

    def messages(self) -> list[str]:
        """Receive up to 10 messages."""
        found = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]

    def keys(self) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return [entry["Key"] for entry in found]

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()


@contextmanager
def a_cloud() -> Iterator[Cloud]:
    """Serve AWS by moto, with clients of its own."""
    client.cache_clear()
    with mock_aws():
        yield Cloud()
    client.cache_clear()


def make_table(name: str, key: str) -> Any:
    """Create a table in moto whose key is one text; return the client."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
    )
    return dynamodb


class CrashError(Exception):
    """The process has crashed."""


class ConditionFailedError(Exception):
    """DynamoDB's ConditionalCheckFailedException."""


@dataclass
class Steps:
    """Counts calls; crashes before or after the call `crash`, which is a number or a name."""

    crash: tuple[int | str, str] | None = None
    taken: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        number, self.taken = self.taken, self.taken + 1
        if self.crash in ((number, "before"), (name, "before")):
            raise CrashError
        yield
        if self.crash in ((number, "after"), (name, "after")):
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
        self.secrets: dict[str, str] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:
        with self._steps.step("put_object"):
            self.objects[Key] = Body

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:
        with self._steps.step("send_message"):
            self.bodies.append(MessageBody)

    def get_item(self, *, TableName: str, Key: Any, ConsistentRead: bool) -> Any:
        ((_, key),) = Key.items()
        with self._steps.step("get_item"):
            found = self.items.get((TableName, key["S"]))
            return {"Item": found} if found else {}

    def put_item(self, *, TableName: str, Item: Any) -> None:
        with self._steps.step("put_item"):
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
        with self._steps.step("update_item"):
            item = self.items.get((TableName, key["S"]), Key)
            if ConditionExpression and not _holds(
                ConditionExpression, item, ExpressionAttributeValues
            ):
                raise ConditionFailedError
            changed = _changed(UpdateExpression, item, ExpressionAttributeValues)
            self.items[TableName, key["S"]] = changed
            return {"Attributes": changed}

    def get_secret_value(self, *, SecretId: str) -> Any:
        with self._steps.step("get_secret_value"):
            return {"SecretString": self.secrets[SecretId]}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        with self._steps.step("put_secret_value"):
            self.secrets[SecretId] = SecretString


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
