"""A local cloud refuses web pages and other users of the machine (ADR 14)."""

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
    """Return the headers of a call to AWS, as a page or another user would send them."""
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
def test_a_web_page_or_another_user_cannot_read_the_login(local_cloud, ask, headers, key):
    own_key = local_cloud.target.state.access_key
    calls = [
        a_request("secretsmanager.GetSecretValue", "secretsmanager", name, **more)
        for name, more in ((key or own_key, headers), (own_key, {}))
    ]

    foreign, own = (ask("POST", "/", call, SECRET) for call in calls)

    assert (foreign[0], "refresh_token" in foreign[1]) == (403, False)
    assert (own[0], "refresh_token" in own[1]) == (200, True)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_web_page_or_another_user_cannot_create_a_function(local_cloud, ask, headers):
    # With the right key, so that the headers alone are the reason.
    key = local_cloud.target.state.access_key if headers else "000000000000"
    call = a_request("", "lambda", key, **headers)

    status, _ = ask("POST", "/2015-03-31/functions", call, FUNCTION)

    functions = local_cloud.client("lambda").list_functions()["Functions"]
    assert status == 403
    assert FUNCTION["FunctionName"] not in [function["FunctionName"] for function in functions]


def test_other_users_cannot_read_the_files_of_a_home_directory(local_cloud):
    def is_open(path):
        return path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) and not path.is_symlink()

    # For root the home can be entered, because Postgres then runs as another user.
    folders, opened = [local_cloud.home], []
    while folders:
        for path in folders.pop().iterdir():
            opened += [path] if is_open(path) else []
            # Files in a closed folder cannot be reached.
            folders += [path] if path.is_dir() and is_open(path) else []

    assert opened == []


# Last, because a successful wipe would break the other tests.
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_a_web_page_or_another_user_cannot_wipe_the_cloud(local_cloud, ask, headers):
    status, _ = ask("POST", "/_ministack/reset", headers, {})

    assert status == 403
    assert local_cloud.output("ArchiveBucket")
