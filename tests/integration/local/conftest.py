"""Homes of local clouds, and processes to be found in them."""

import subprocess
import sys

import pytest

from infra.local.ministack import MiniStack
from infra.local.ports import any_free
from infra.local.processes import Child

ADMINISTRATOR = "AKIALOCALCLOUDOFTEST"
"""The id of the administrator's key of a MiniStack that tests start."""


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
