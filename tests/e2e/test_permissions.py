"""Each function may only do what its policy grants, in the local cloud too."""

import io
import json
from zipfile import ZipFile

import pytest

from services.enricher.cache.pending import INDEX as WAITING

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

NOBODY = {"listener": {"S": "nobody"}}
NO_TRACK = {"track_uri": {"S": "spotify:track:0"}}
DUE = {
    "KeyConditionExpression": "misses = :misses",
    "ExpressionAttributeValues": {":misses": {"N": "0"}},
}
# For each function a call that it needs, and a similar one just outside its policy.
CALLS = [
    pytest.param(
        "Collector",
        ("dynamodb", "get_item", {"TableName": "ListenerStateTable", "Key": NOBODY}),
        ("dynamodb", "get_item", {"TableName": "TrackCacheTable", "Key": NO_TRACK}),
        id="collector",
    ),
    pytest.param(
        "Backfill",
        ("s3", "get_object", {"Bucket": "ArchiveBucket", "Key": "history/me/none.zip"}),
        ("s3", "get_object", {"Bucket": "ArchiveBucket", "Key": "polls/me/none.json.gz"}),
        id="backfill",
    ),
    pytest.param(
        "Enricher",
        ("dynamodb", "batch_get_item", {"RequestItems": {"TrackCacheTable": {"Keys": [NO_TRACK]}}}),
        ("dynamodb", "query", {"TableName": "TrackCacheTable", "IndexName": WAITING, **DUE}),
        id="enricher",
    ),
    pytest.param(
        "Healer",
        ("dynamodb", "query", {"TableName": "TrackCacheTable", "IndexName": WAITING, **DUE}),
        ("dynamodb", "scan", {"TableName": "TrackCacheTable"}),
        id="healer",
    ),
    pytest.param(
        "Loader",
        ("sqs", "get_queue_attributes", {"QueueUrl": "EnrichedPlaysQueueUrl"}),
        ("sqs", "get_queue_attributes", {"QueueUrl": "CollectedPlaysQueueUrl"}),
        id="loader",
    ),
    pytest.param(
        "Migrator",
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/migrator"}),
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/loader"}),
        id="migrator",
    ),
    pytest.param(
        "Queries",
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/reader"}),
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/loader"}),
        id="queries",
    ),
    pytest.param(
        "Derive",
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/loader"}),
        ("ssm", "get_parameter", {"Name": "/spotify-pipeline/database/migrator"}),
        id="derive",
    ),
]


@pytest.fixture
def ask_as(local_cloud):
    """Make a call in a function's role; names of stack outputs are replaced by their values."""
    functions = local_cloud.client("lambda")
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("probe.py", PROBE)

    def ask(function, service, call, arguments):
        deployed = functions.get_function_configuration(
            FunctionName=local_cloud.output(f"{function}Function")
        )
        functions.create_function(
            FunctionName="probe",
            Role=deployed["Role"],
            Runtime=deployed["Runtime"],
            Handler="probe.handler",
            Code={"ZipFile": packed.getvalue()},
        )
        event = {"service": service, "call": call, "arguments": arguments}
        named = json.loads(json.dumps(event), object_hook=as_deployed)
        answer = functions.invoke(FunctionName="probe", Payload=json.dumps(named))
        functions.delete_function(FunctionName="probe")
        return json.loads(answer["Payload"].read())

    def as_deployed(part):
        outputs = local_cloud.target.outputs
        return {
            outputs.get(name, name): outputs.get(str(value), value) for name, value in part.items()
        }

    return ask


@pytest.mark.parametrize(("function", "needed", "outside"), CALLS)
def test_aws_calls_outside_a_functions_policy_are_denied(ask_as, function, needed, outside):
    assert "AccessDenied" not in ask_as(function, *needed)
    assert "AccessDenied" in ask_as(function, *outside)
