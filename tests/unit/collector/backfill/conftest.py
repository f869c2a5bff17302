import boto3
import pytest
from moto import mock_aws

from services.collector.backfill import upload_handler
from shared.aws import client


class Cloud:
    """A bucket and a queue, as moto keeps them."""

    bucket = "archive"

    def __init__(self):
        self.s3 = boto3.client("s3")
        self.sqs = boto3.client("sqs")
        self.s3.create_bucket(Bucket=self.bucket)
        self.s3.put_bucket_versioning(
            Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        self.queue_url = self.sqs.create_queue(QueueName="collected-plays")["QueueUrl"]

    def upload(self, key, content):
        """Put a file into the archive; return its version."""
        return self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)["VersionId"]

    def messages(self):
        """Receive up to 10 messages."""
        found = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in found.get("Messages", [])]

    def keys(self):
        found = self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [entry["Key"] for entry in found]

    def read(self, key):
        return self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()


@pytest.fixture
def cloud(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client.cache_clear()
    upload_handler.wire.cache_clear()
    with mock_aws():
        cloud = Cloud()
        monkeypatch.setenv("ARCHIVE_BUCKET", cloud.bucket)
        monkeypatch.setenv("COLLECTED_PLAYS_QUEUE_URL", cloud.queue_url)
        monkeypatch.setenv("LISTENERS", "jane,me")
        yield cloud
    client.cache_clear()
    upload_handler.wire.cache_clear()
