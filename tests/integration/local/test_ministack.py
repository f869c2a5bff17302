import io
import json
import os
import signal
import time
from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError

from infra.local.aws import client
from infra.local.deploy import Cdk
from infra.local.ministack import MiniStack
from infra.local.pidfile import holder
from infra.local.ports import any_free
from infra.local.state import LocalCloudError
from services.collector.backfill.s3_event import read_event
from shared.archive import Archive
from tests.integration.local.conftest import ADMINISTRATOR


def test_messages_in_a_queue_survive_a_ministack_restart(ministack):
    sqs = client("sqs", ministack.aws)
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="still here")

    ministack.restart()

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "still here"


def test_logs_survive_a_ministack_restart(ministack):
    stream = {"logGroupName": "/kept", "logStreamName": "one"}
    logs = client("logs", ministack.aws)
    logs.create_log_group(logGroupName="/kept")
    logs.create_log_stream(**stream)
    event = {"timestamp": int(time.time() * 1_000), "message": "loaded"}
    logs.put_log_events(**stream, logEvents=[event])

    ministack.restart()

    (found,) = logs.filter_log_events(logGroupName="/kept")["events"]
    assert (found["message"], found["timestamp"]) == ("loaded", event["timestamp"])
    before = ministack.child.log.with_name("ministack.log.1")
    assert f"running on {ministack.endpoint}" in before.read_text()


def test_reading_a_log_page_by_page_returns_every_event_once(ministack):
    logs, stream = client("logs", ministack.aws), {"logGroupName": "/long", "logStreamName": "one"}
    logs.create_log_group(logGroupName="/long")
    logs.create_log_stream(**stream)
    now = int(time.time() * 1_000)
    # Several events of one millisecond stand at the ends of pages.
    events = [{"timestamp": now - 9_000 + n // 7, "message": str(n)} for n in range(20_000)]
    for part in (events[:10_000], events[10_000:]):
        logs.put_log_events(**stream, logEvents=part)

    for page_size in (None, 999):
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName="/long", startTime=now - 9_000, PaginationConfig={"PageSize": page_size}
        )
        found = [event["message"] for page in pages for event in page["events"]]
        assert found == [event["message"] for event in events]


def test_a_large_upload_is_stored_byte_for_byte(ministack, tmp_path):
    s3 = client("s3", ministack.aws)
    s3.create_bucket(Bucket="large")
    s3.put_bucket_versioning(Bucket="large", VersioningConfiguration={"Status": "Enabled"})
    sent = os.urandom(20 << 20)
    s3.upload_fileobj(io.BytesIO(sent), "large", "history/me/large.zip")
    version = s3.head_object(Bucket="large", Key="history/me/large.zip")["VersionId"]

    with (tmp_path / "fetched").open("w+b") as fetched:
        Archive(s3, "large").fetch("history/me/large.zip", version, fetched)

    assert (tmp_path / "fetched").read_bytes() == sent


@pytest.mark.parametrize(("refused", "came_by_tls"), [(True, "true"), (False, "false")])
def test_ministack_treats_every_request_as_sent_over_tls(ministack, refused, came_by_tls):
    sqs = client("sqs", ministack.aws)
    url = sqs.create_queue(QueueName=f"refuses-tls-{came_by_tls}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
        "Condition": {"Bool": {"aws:SecureTransport": came_by_tls}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    with pytest.raises(ClientError, match="AccessDenied") if refused else nullcontext():
        sqs.send_message(QueueUrl=url, MessageBody="by TLS")


@pytest.fixture
def deployed(home):
    """A server with a complete deployment."""
    server = MiniStack(home)
    server.start(any_free(), ADMINISTRATOR)
    server.wait_until_ready()
    server.deployed()
    yield server
    server.stop()


def test_a_clean_stop_of_ministack_is_not_reported_as_a_crash(deployed):
    client("sqs", deployed.aws).create_queue(QueueName="kept")

    deployed.stop()

    assert not deployed.has_crashed


def test_a_killed_ministack_is_reported_as_crashed(deployed, home):
    ministack = holder(home / "ministack.pid")
    assert ministack is not None
    os.kill(ministack, signal.SIGKILL)
    deployed.stop()

    assert deployed.has_crashed


def test_ministack_does_not_save_an_unfinished_deployment(deployed):
    client("sqs", deployed.aws).create_queue(QueueName="before")
    deployed.restart()
    client("sqs", deployed.aws).create_queue(QueueName="half")

    deployed.stop()
    deployed.start(any_free(), ADMINISTRATOR)
    deployed.wait_until_ready()

    (url,) = client("sqs", deployed.aws).list_queues()["QueueUrls"]
    assert url.endswith("/before")


def test_the_error_of_a_ministack_whose_port_is_taken_names_its_log(ministack, home):
    other = MiniStack(home)
    other.start(int(ministack.endpoint.rpartition(":")[2]), ADMINISTRATOR)

    with pytest.raises(LocalCloudError, match=r"ministack\.log") as failure:
        other.wait_until_ready()

    assert "already in use" in other.child.log.read_text()
    assert "MiniStack does not start" in str(failure.value)


def test_a_stack_that_does_not_exist_is_reported_as_missing(ministack, home):
    assert not Cdk(home, ministack.aws).has_stack("SpotifyPipeline")


def test_an_s3_upload_event_contains_the_object_version(ministack, eventually):
    s3, sqs = client("s3", ministack.aws), client("sqs", ministack.aws)
    url = sqs.create_queue(QueueName="uploads")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    events = client("events", ministack.aws)
    events.put_rule(Name="uploads", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="uploads", Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])
    s3.create_bucket(Bucket="archive")
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket="archive", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )

    version = s3.put_object(Bucket="archive", Key="history/a.zip", Body=b"PK")["VersionId"]

    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert read_event(message["Body"], "archive").version_id == version
