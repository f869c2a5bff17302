"""Homes of local clouds, and processes to be found in them."""

import io
import json
import subprocess
import sys
from zipfile import ZipFile

import pytest

from infra.local.aws import LocalAws, client
from infra.local.ministack import MiniStack
from infra.local.ports import any_free
from infra.local.processes import Child

ADMINISTRATOR = "AKIALOCALCLOUDOFTEST"
"""The id of the administrator's key of a MiniStack that tests start."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}


def create_function(aws: LocalAws, name: str, code: str) -> tuple[str, str]:
    """Create a function with a role of its own that grants nothing; return the ARNs of both."""
    role = client("iam", aws).create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("work.py", code)
    function = client("lambda", aws).create_function(
        FunctionName=name,
        Role=role["Role"]["Arn"],
        Runtime="python3.14",
        Handler="work.handler",
        Timeout=60,
        Code={"ZipFile": packed.getvalue()},
    )
    return function["FunctionArn"], role["Role"]["Arn"]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path


@pytest.fixture
def child(home):
    child = Child("dummy", home, patience_s=1)
    yield child
    child.stop()


@pytest.fixture
def run_python():
    """Start Python code in a process of its own; gives it once it has said a line."""
    started = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - the code is the test's
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def ministack(tmp_path_factory):
    home = tmp_path_factory.mktemp("ministack")
    (home / "logs").mkdir()
    server = MiniStack(home)
    server.start(any_free(), ADMINISTRATOR)
    server.wait_until_ready()
    yield server
    server.child.stop()
