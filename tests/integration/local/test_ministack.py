import io
import json
import os
import signal
from contextlib import nullcontext

import boto3
import pytest
from botocore.exceptions import ClientError

from infra.local.aws import client
from infra.local.deploy import Cdk
from infra.local.lookups import put_database, put_simulated_login
from infra.local.memory import Memory
from infra.local.ministack import MiniStack
from infra.local.pidfile import holder
from infra.local.ports import Ports, any_free
from infra.local.simulators import account
from infra.local.state import LocalCloudError
from infra.local.wishes import Wishes, configuration
from services.collector.backfill.s3_event import read_event
from shared.archive import Archive
from tests.integration.local.conftest import ADMINISTRATOR

CONFIG = configuration(Wishes().deployment(Ports()))
LOGIN = "spotify-pipeline/listener/me"


@pytest.fixture
def secrets(ministack):
    return client("secretsmanager", ministack.aws)


@pytest.fixture
def login(secrets):
    """The listener's secret as the stack makes it: without a value."""
    secrets.create_secret(Name=LOGIN)
    yield LOGIN
    secrets.delete_secret(SecretId=LOGIN, ForceDeleteWithoutRecovery=True)


def value_of(secrets, name: str) -> dict[str, object]:
    return json.loads(secrets.get_secret_value(SecretId=name)["SecretString"])


def test_a_restart_keeps_what_was_there(ministack):
    sqs = client("sqs", ministack.aws)
    url = sqs.create_queue(QueueName="kept")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="still here")

    ministack.restart()

    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert message["Body"] == "still here"


def test_a_large_upload_is_read_as_it_was_sent(ministack, tmp_path):
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
def test_a_request_counts_as_one_that_came_by_tls(ministack, refused, came_by_tls):
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


def test_an_unknown_key_is_refused_because_iam_is_enforced(ministack):
    stranger = boto3.client(
        "sqs",
        endpoint_url=ministack.endpoint,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="nobody",  # noqa: S106 - opens nothing
    )

    with pytest.raises(ClientError):
        stranger.list_queues()


@pytest.fixture
def deployed(home):
    """A server with a complete deployment."""
    server = MiniStack(home)
    server.start(any_free(), ADMINISTRATOR)
    server.wait_until_ready()
    server.deployed()
    yield server
    server.stop()


def test_a_clean_stop_is_no_crash(deployed):
    client("sqs", deployed.aws).create_queue(QueueName="kept")

    deployed.stop()

    assert not deployed.has_crashed


def test_a_server_that_was_killed_has_crashed(deployed, home):
    ministack = holder(home / "ministack.pid")
    assert ministack is not None
    os.kill(ministack, signal.SIGKILL)
    deployed.stop()

    assert deployed.has_crashed


def test_half_of_a_deployment_is_not_saved(deployed):
    client("sqs", deployed.aws).create_queue(QueueName="before")
    deployed.restart()
    client("sqs", deployed.aws).create_queue(QueueName="half")

    deployed.stop()
    deployed.start(any_free(), ADMINISTRATOR)
    deployed.wait_until_ready()

    (url,) = client("sqs", deployed.aws).list_queues()["QueueUrls"]
    assert url.endswith("/before")


def test_a_server_that_cannot_listen_names_its_log(ministack, home):
    other = MiniStack(home)
    other.start(int(ministack.endpoint.rpartition(":")[2]), ADMINISTRATOR)

    with pytest.raises(LocalCloudError, match=r"ministack\.log") as failure:
        other.wait_until_ready()

    assert "already in use" in other.child.log.read_text()
    assert "MiniStack does not start" in str(failure.value)


def parameter(ministack, name: str) -> str:
    answer = client("ssm", ministack.aws).get_parameter(Name=name, WithDecryption=True)
    return answer["Parameter"]["Value"]


def test_each_role_finds_its_own_way_to_the_database(ministack):
    memory = Memory(ports=Ports(postgres=15432))

    put_database(CONFIG, ministack.aws, memory)

    assert json.loads(parameter(ministack, "/spotify-pipeline/database/loader")) == {
        "username": "loader",
        "password": memory.loader_password,
        "dbname": "spotify",
        "port": 15432,
    }
    reader = json.loads(parameter(ministack, "/spotify-pipeline/database/reader"))
    assert reader["password"] == memory.reader_password
    assert parameter(ministack, "/spotify-pipeline/database/host") == "127.0.0.1"


def test_a_changed_port_reaches_those_who_look_it_up(ministack):
    put_database(CONFIG, ministack.aws, Memory(ports=Ports(postgres=15432)))

    put_database(CONFIG, ministack.aws, Memory(ports=Ports(postgres=15433)))

    migrator = json.loads(parameter(ministack, "/spotify-pipeline/database/migrator"))
    assert migrator["port"] == 15433


def test_the_listener_is_logged_in_to_the_simulator(ministack, secrets, login):
    put_simulated_login(CONFIG, ministack.aws)

    assert value_of(secrets, login)["refresh_token"] == account.REFRESH_TOKEN
    assert {"client_id", "client_secret", "authorized_at"} < set(value_of(secrets, login))


def test_the_login_of_a_person_stays(ministack, secrets, login):
    own = {"client_id": "mine", "refresh_token": "mine"}
    secrets.put_secret_value(SecretId=login, SecretString=json.dumps(own))

    put_simulated_login(CONFIG, ministack.aws)

    assert value_of(secrets, login) == own


def test_a_stack_that_is_not_there_is_known_to_be_missing(ministack, home):
    assert not Cdk(home, ministack.aws).has_stack("SpotifyPipeline")


def test_an_event_of_an_upload_names_its_version(ministack, eventually):
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
