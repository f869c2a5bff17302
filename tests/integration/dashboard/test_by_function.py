"""The pages over the function `queries`, as for a stack on AWS, and over a direct connection."""

from types import SimpleNamespace

import pytest

from bench.addresses import addresses
from cli import aws
from cli.page.connections import Connections
from cli.page.server import readers
from dashboard.app import create_app
from infra.local.page import Source
from infra.local.ports import HOST, any_free
from services.loader import queries
from tests.integration.cli.conftest import Lambda
from tests.integration.dashboard.conftest import BASE_URL
from tests.integration.dashboard.site import plain

PERIODS = ("period=2025", "period=all&measure=minutes", "period=2025-03-02..2025-06-30&rule=done")


@pytest.fixture
def by_function(deployment, monkeypatch):
    """Return the reader of `plays --target aws dashboard`; the function runs in this process."""
    deployment.know("reader")
    functions = Lambda({"queries": queries.handler})
    session = SimpleNamespace(client=lambda *_, **__: functions)
    monkeypatch.setattr(aws, "session", lambda: session)
    return readers(Source(options=(), function="queries"))


@pytest.fixture
def by_connection(address_of):
    connections = Connections(address_of("reader"))
    yield connections.reader
    connections.close()


@pytest.mark.usefixtures("sample")
def test_each_page_is_the_same_via_lambda_and_via_a_direct_connection(by_function, by_connection):
    sites = [create_app(lend).test_client() for lend in (by_connection, by_function)]
    with by_connection() as reader:
        paths = [*addresses(reader).values(), "/top.csv?"]

    for path in (path + state for path in paths for state in PERIODS):
        expected, answer = (site.get(path, base_url=BASE_URL) for site in sites)
        assert (answer.status_code, answer.text) == (200, expected.text), path


def test_an_unreachable_aws_gives_503_naming_the_endpoint(monkeypatch):
    url = f"http://{HOST}:{any_free()}"
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": url,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    site = create_app(readers(Source(options=(), function="queries"))).test_client()

    answer = site.get("/", base_url=BASE_URL)

    assert answer.status_code == 503
    assert f"nothing answers at {url}" in plain(answer.text)
