"""The page over a real Postgres, read as role reader."""

import zipfile
from contextlib import closing
from datetime import UTC, datetime

import pytest

from dashboard.app import create_app
from infra.local.sample_history import write_history_zip
from services.collector.backfill.domain.json_stream import read_rows
from services.loader.store import Store
from shared.models import EnrichedBatch, Play
from shared.postgres import Database
from tests.integration.dashboard.site import Site

BASE_URL = "http://127.0.0.1:8100"
UNTIL = datetime(2026, 1, 12, tzinfo=UTC)


@pytest.fixture
def get(database, address_of):
    """Request an address of the page."""
    client = create_app(lambda: closing(Database.connect(address_of("reader")))).test_client()

    return lambda path: client.get(path, base_url=BASE_URL)


@pytest.fixture
def empty_site(database, address_of) -> Site:
    """The page over an empty database."""
    return Site(database, address_of)


@pytest.fixture
def site(empty_site) -> Site:
    """The page over the history of `site.py`."""
    empty_site.two_years()
    return empty_site


@pytest.fixture
def load(database):
    """Load plays and refresh the views."""
    store = Store(database)

    def plays(*given, listener="me", source="extended-history"):
        store.load(
            [
                EnrichedBatch(
                    listener=listener,
                    source=source,
                    origin=f"{source}/{listener}",
                    number=0,
                    plays=given,
                )
            ]
        )
        database.run("SELECT derived.refresh(1000)")

    return plays


@pytest.fixture
def one_play(load):
    load(
        Play(
            track_uri="spotify:track:4uLU6hMCjMI75M1A2tKUQC",
            track_name="Salt & <Vinegar>",
            artist_name="Ada Quince",
            album_name="=Tides",
            played_at=datetime(2025, 3, 5, 21, 4, tzinfo=UTC),
            ms_played=180_000,
        )
    )


@pytest.fixture
def sample(load, tmp_path):
    """A small but complete export of an invented person."""
    path = tmp_path / "history.zip"
    write_history_zip(path, plays=450, seed=7, until=UNTIL, since=datetime(2024, 10, 1, tzinfo=UTC))
    with zipfile.ZipFile(path) as history:
        names = [name for name in history.namelist() if "Audio" in name]
        rows = [
            row
            for name in names
            for part in read_rows(iter([history.read(name)]), UNTIL)
            for row in part
            if isinstance(row, dict)
        ]
    load(*(Play.model_validate(row) for row in rows[:400]))
