"""Who is kept out of a local cloud: web pages, and other users of the machine (ADR 14)."""

import io
import json
import stat
from base64 import b64encode
from http.client import HTTPConnection
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.e2e


def a_zip(**files):
    """Return a zip of texts in Base64."""
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return b64encode(content.getvalue()).decode()


CODE = a_zip(code="def handler(event, context): return 'run'\n")
SECRET = {"SecretId": "spotify-pipeline/listener/me"}
FUNCTION = {
    "FunctionName": "intruder",
    "Role": "arn:aws:iam::000000000000:role/any",
    "Runtime": "python3.14",
    "Handler": "code.handler",
    "Code": {"ZipFile": CODE},
}
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Host": "evil.example"},
    {},
]


def a_request(target, service, key, **headers):
    """Spell the headers of a call to AWS, as a page or another user would send it."""
    scope = f"{key}/20261129/us-east-1/{service}/aws4_request"
    signature = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={64 * '0'}"
    return {"Authorization": signature, "X-Amz-Target": target, **headers}


@pytest.fixture
def ask(local_cloud):
    def ask(method, path, headers, body):
        state = local_cloud.target.state
        connection = HTTPConnection(state.aws_endpoint.partition("//")[2], timeout=10)
        connection.request(method, path, json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    return ask


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        # With the right key, so that the headers alone are the reason.
        *((None, headers) for headers in FOREIGN if headers),
        ("000000000000", {}),
        ("test", {}),
    ],
    ids=str,
)
def test_nobody_else_can_read_the_login(local_cloud, ask, headers, key):
    own_key = local_cloud.target.state.access_key
    calls = [
        a_request("secretsmanager.GetSecretValue", "secretsmanager", name, **more)
        for name, more in ((key or own_key, headers), (own_key, {}))
    ]

    foreign, own = (ask("POST", "/", call, SECRET) for call in calls)

    assert (foreign[0], "refresh_token" in foreign[1]) == (403, False)
    assert (own[0], "refresh_token" in own[1]) == (200, True)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_nobody_else_can_run_code_by_making_a_function(local_cloud, ask, headers):
    # With the right key, so that the headers alone are the reason.
    key = local_cloud.target.state.access_key if headers else "000000000000"
    call = a_request("", "lambda", key, **headers)

    status, _ = ask("POST", "/2015-03-31/functions", call, FUNCTION)

    functions = local_cloud.client("lambda").list_functions()["Functions"]
    assert status == 403
    assert FUNCTION["FunctionName"] not in [function["FunctionName"] for function in functions]


def test_other_users_can_read_no_file_of_a_home(local_cloud):
    def is_open(path):
        return path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not path.is_symlink()

    # As root the home itself is passable, since Postgres has a user of its own then.
    folders, opened = [local_cloud.home], []
    while folders:
        for path in folders.pop().iterdir():
            opened += [path] if is_open(path) else []
            # What is in a closed folder is out of reach.
            folders += [path] if path.is_dir() and is_open(path) else []

    assert opened == []


# Last, because a wipe that gets through takes away what the other tests look at.
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_nobody_else_can_wipe_the_cloud(local_cloud, ask, headers):
    status, _ = ask("POST", "/_ministack/reset", headers, {})

    assert status == 403
    assert local_cloud.output("ArchiveBucket")
