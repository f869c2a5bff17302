"""The reporting views over the embedded Postgres."""

import pytest

from tests.integration.loader.reporting.stage import Reporting


@pytest.fixture
def reporting(database, owner, connect) -> Reporting:
    return Reporting(database, owner, connect("reader"))
