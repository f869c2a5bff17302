"""Each function may do what its policy grants and nothing else, in the local cloud too."""

import io
import json
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.e2e

PROBE = """
import os

import boto3
from botocore.exceptions import ClientError


def handler(event, context):
    client = boto3.client(event["service"], endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
    try:
        getattr(client, event["call"])(**event["arguments"])
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "granted"
"""


@pytest.fixture
def ask_as_loader(local_cloud):
    """Make a call in the loader's role."""
    functions = local_cloud.client("lambda")
    loader = functions.get_function_configuration(FunctionName=local_cloud.output("LoaderFunction"))
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("probe.py", PROBE)
    functions.create_function(
        FunctionName="probe",
        Role=loader["Role"],
        Runtime=loader["Runtime"],
        Handler="probe.handler",
        Code={"ZipFile": packed.getvalue()},
    )

    def ask(service, call, **arguments):
        event = {"service": service, "call": call, "arguments": arguments}
        answer = functions.invoke(FunctionName="probe", Payload=json.dumps(event))
        return json.loads(answer["Payload"].read())

    yield ask
    functions.delete_function(FunctionName="probe")


def test_a_function_is_refused_what_its_policy_does_not_grant(local_cloud, ask_as_loader):
    own, other = (
        local_cloud.output(f"{name}QueueUrl") for name in ("EnrichedPlays", "FailedTicks")
    )

    assert ask_as_loader("sqs", "get_queue_attributes", QueueUrl=own) == "granted"
    assert "AccessDenied" in ask_as_loader("sqs", "get_queue_attributes", QueueUrl=other)
    assert "AccessDenied" in ask_as_loader("s3", "list_buckets")
