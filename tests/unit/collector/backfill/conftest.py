import pytest

from services.collector.backfill import upload_handler
from tests.fakes.aws import BUCKET


@pytest.fixture
def cloud(cloud, monkeypatch):
    """AWS by moto, with the deployed backfill."""
    upload_handler.wire.cache_clear()
    monkeypatch.setenv("ARCHIVE_BUCKET", BUCKET)
    monkeypatch.setenv("COLLECTED_PLAYS_QUEUE_URL", cloud.queue_url)
    monkeypatch.setenv("LISTENERS", "jane,me")
    yield cloud
    upload_handler.wire.cache_clear()
