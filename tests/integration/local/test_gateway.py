"""Which requests the gateway before MiniStack refuses."""

import hashlib
import json
import re
from http.client import HTTPConnection
from urllib.request import urlopen

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from infra.local.aws import LocalAws, client
from tests.integration.local.conftest import ADMINISTRATOR, create_function

CODE = """
import os

def handler(event, context):
    return {name: os.environ[name] for name in event}
"""


def signed(key: str, service: str = "sqs") -> str:
    """Spell an Authorization header that names a key; its signature is nonsense."""
    scope = f"{key}/20261129/us-east-1/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={64 * '0'}"


@pytest.fixture
def ask(ministack):
    """Send one request as it is given; gives the status and the body of the answer."""
    port = int(ministack.endpoint.rpartition(":")[2])

    def ask(
        method: str = "POST", path: str = "/", key: str | None = ADMINISTRATOR, **headers: str
    ) -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        connection.putrequest(method, path, skip_host=True)
        said = {"Host": f"127.0.0.1:{port}", "X-Amz-Target": "AmazonSQS.ListQueues"}
        said |= {"Authorization": signed(key)} if key else {}
        for name, value in (said | {n.replace("_", "-"): v for n, v in headers.items()}).items():
            connection.putheader(name, value.format(port=port))
        connection.putheader("Content-Length", "2")
        connection.endheaders(b"{}")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-")]
        return answer.status, body

    return ask


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
def test_a_valid_key_is_accepted_under_every_loopback_host_name(ask, host):
    status, body = ask(Host=host)

    assert (status, "QueueUrls" in json.loads(body)) == (200, True)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Origin": "https://evil.example"}, "web page"),
        ({"Origin": "null"}, "web page"),
        ({"Origin": "http://127.0.0.1:{port}"}, "web page"),
        ({"Sec_Fetch_Site": "cross-site"}, "web page"),
        ({"Sec_Fetch_Mode": "no-cors"}, "web page"),
        ({"Host": "evil.example:{port}"}, "Host header"),
        ({"Host": "127.0.0.1"}, "Host header"),
        ({"Host": "127.0.0.1:1"}, "Host header"),
        ({"Host": "archive.localhost:{port}"}, "Host header"),
    ],
)
def test_a_request_from_a_web_page_is_refused_despite_a_valid_key(ask, headers, reason):
    status, body = ask(**headers)

    assert status == 403
    assert reason in json.loads(body)["message"]


def test_a_cors_preflight_is_refused(ask):
    status, body = ask("OPTIONS")

    assert status == 403
    assert "OPTIONS" in body


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_ministack/reset"),
        ("POST", "/%5fministack/reset"),
        ("GET", "/_ministack/sqs/messages?QueueUrl=x"),
        ("GET", "/_ministack/lambda-code/work"),
        ("PUT", "/_ministack/cfn-signal/x"),
        ("GET", "/_ministack/cfn-response/x"),
        ("GET", "/_localstack/health"),
        ("GET", "/_aws/lambda-url/x/"),
        ("GET", "/_alb/x"),
        ("GET", "/health"),
    ],
)
def test_ministacks_admin_paths_are_refused_despite_a_valid_key(ask, method, path):
    status, body = ask(method, path)

    assert status == 403
    assert "administrative" in body


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (None, "/"),
        ("", "/"),
        ("test", "/"),
        ("000000000000", "/"),
        ("AKIAUNKNOWN", "/"),
        # AWS serves these without a key.
        (None, "/login"),
        (None, "/oauth2/token"),
        (None, "/.well-known/openid-configuration"),
        (None, "/archive/key?X-Amz-Algorithm=x&X-Amz-Credential=000000000000/20261129/x/s3/x"),
        (None, "/archive/key?AWSAccessKeyId=000000000000&Signature=x&Expires=9999999999"),
        (None, "/archive/key?AWSAccessKeyId=test"),
    ],
)
def test_requests_without_an_access_key_of_the_local_cloud_get_403(ask, key, path):
    status, body = ask("GET", path, key=key)

    assert status == 403
    assert "unknown access key" in body


def test_an_upgrade_to_a_web_socket_is_refused(ask):
    status, _ = ask(
        "GET",
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        Sec_WebSocket_Version="13",
    )

    assert status != 101


def test_a_custom_resource_can_send_its_response_without_a_key(ask):
    status, _ = ask("PUT", "/_ministack/cfn-response/a-token", key=None)

    assert status == 200


def test_an_oversized_custom_resource_response_is_refused(ministack):
    def answered(name, value):
        connection = HTTPConnection(ministack.endpoint.partition("//")[2], timeout=10)
        connection.putrequest("PUT", "/_ministack/cfn-response/a-token")
        connection.putheader(name, value)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    assert answered("Content-Length", "4097") == 403
    assert answered("Transfer-Encoding", "chunked") == 403


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("s3", lambda s3: s3.list_objects_v2(Bucket="archive")),
        ("cloudformation", lambda cloudformation: cloudformation.describe_stacks()),
        ("sts", lambda sts: sts.get_caller_identity()),
        ("sns", lambda sns: sns.list_topics()),
        ("iam", lambda iam: iam.list_roles()),
        ("sqs", lambda sqs: sqs.list_queues()),
        ("lambda", lambda functions: functions.list_functions()),
    ],
)
def test_each_aws_client_shows_the_reason_of_a_refusal(ministack, service, call):
    stranger = LocalAws(ministack.aws.endpoint, "AKIAUNKNOWN")

    with pytest.raises(ClientError, match="unknown access key") as refusal:
        call(client(service, stranger))

    assert refusal.value.response["Error"]["Code"].startswith("AccessDenied")


def test_a_presigned_url_returns_its_object(ministack):
    s3 = client("s3", ministack.aws)
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="history/me/a.json", Body=b"[]")
    address = s3.generate_presigned_url(
        "get_object", Params={"Bucket": "presigned", "Key": "history/me/a.json"}
    )

    with urlopen(address) as answer:  # noqa: S310 - on the loopback
        assert answer.read() == b"[]"


@pytest.fixture
def keys_of_a_function(ministack):
    """The keys of a function, and those computed from its names."""
    function, role = create_function(ministack.aws, "worker", CODE)
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    functions = client("lambda", ministack.aws)
    answer = functions.invoke(FunctionName="worker", Payload=json.dumps(names))
    keys = json.load(answer["Payload"])
    digest = hashlib.sha256(f"{function}:{role}".encode()).hexdigest()
    derived = [
        f"ASIA{digest[:16].upper()}",
        hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
        hashlib.sha256(f"token:{digest}".encode()).hexdigest(),
    ]
    return [keys[name] for name in names], derived


def authorized(endpoint, keys):
    request = AWSRequest(
        "POST",
        endpoint,
        data=b"{}",
        headers={"X-Amz-Target": "AmazonSQS.ListQueues", "Host": endpoint.partition("//")[2]},
    )
    SigV4Auth(Credentials(*keys), "sqs", "us-east-1").add_auth(request)
    wanted = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
    return {name.replace("-", "_"): request.headers[name] for name in wanted}


def test_access_keys_of_a_function_cannot_be_computed_from_its_arn_and_role(
    ministack, ask, keys_of_a_function
):
    own, derived = keys_of_a_function

    status, body = ask(key=None, **authorized(ministack.endpoint, derived))
    own_status, own_body = ask(key=None, **authorized(ministack.endpoint, own))

    assert (status, "unknown access key" in body) == (403, True)
    # MiniStack knows it, and its role may not list queues.
    assert own_status == 403
    assert re.search("assumed-role/worker/worker is not authorized", own_body)
