"""What all tests share. None reaches a real AWS account, whatever its shell knows of one."""

import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import botocore.session
import pytest
from hypothesis import settings

from shared.telemetry import metrics

# A busy machine may be slow, so no example of a property has a time limit.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

PAUSE_S = 0.1

# moto keeps an object in memory up to this size. The garbage collector warns of the files that
# would hold larger ones, and the warning fails whatever test runs then.
os.environ["MOTO_S3_DEFAULT_KEY_BUFFER_SIZE"] = str(64 << 20)

FAKE_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    """Parse botocore's service models once a process.

    moto discards boto3's default session before each test, and every new session parses megabytes
    of JSON: half of the CPU time of a test that needs AWS.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(autouse=True)
def no_account(monkeypatch):
    inherited = [name for name in os.environ if name.startswith("AWS_")]
    for name in inherited:
        monkeypatch.delenv(name)
    for name, value in FAKE_ACCOUNT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def no_inherited_metrics():
    """Metrics that one test added without a handler to publish them are not the next one's."""
    metrics.clear_metrics()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Ask again and again until the answer is true, and give it; fails when it never is."""

    def ask(question: Callable[[], Any], within_s: float = 10) -> Any:
        deadline = time.monotonic() + within_s
        while not (answer := question()):
            assert time.monotonic() < deadline, f"not within {within_s:g} s"
            time.sleep(PAUSE_S)
        return answer

    return ask
