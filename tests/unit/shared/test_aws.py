"""The AWS clients: one per service, with short timeouts."""

import pytest

from shared.aws import client


@pytest.fixture(autouse=True)
def no_clients():
    client.cache_clear()
    yield
    client.cache_clear()


def test_each_aws_service_has_one_shared_client():
    assert client("sqs") is client("sqs")
    assert client("sqs") is not client("s3")


def test_an_aws_client_times_out_before_its_lambda_function():
    config = client("sqs").meta.config

    assert config.connect_timeout * config.retries["total_max_attempts"] <= 10
    assert config.read_timeout <= 20
