from types import SimpleNamespace

import pytest

from services.collector.handler import wire
from shared.aws import client
from tests.fakes.aws import a_cloud, make_table
from tests.unit.collector.capture import Capture


@pytest.fixture
def capture():
    return Capture()


@pytest.fixture
def spotify(capture):
    return capture.spotify


@pytest.fixture
def cloud():
    """AWS by moto with the resources of the collector, before the first login."""
    wire.cache_clear()
    with a_cloud() as cloud:
        make_table("listener-state", "listener")
        make_table("spotify-app", "app")
        client("secretsmanager").create_secret(Name="plays/listener/me")
        yield cloud
    wire.cache_clear()


@pytest.fixture
def context():
    """The context of a Lambda invocation, with 15 minutes left."""
    return SimpleNamespace(
        function_name="collector",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:collector",
        aws_request_id="request-1",
        get_remaining_time_in_millis=lambda: 900_000,
    )
