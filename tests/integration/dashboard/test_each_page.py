"""The pages of charts without a script over no play, one play and a sample history."""

import json
import zipfile
from datetime import UTC, datetime

import pytest

from infra.local.sample_history import write_history_zip
from tests.integration.dashboard.site import LENGTH_MS, Site

NAMES = (
    "/when",
    "/discovery",
    "/rank",
    "/sessions",
    "/skips",
    "/mood",
    "/review",
    "/counts",
    "/health",
)


@pytest.fixture
def site(database, address_of):
    return Site(database, address_of)


@pytest.mark.parametrize("path", NAMES)
def test_an_empty_database_shows_what_to_do(path, site):
    assert "plays upload my_spotify_data.zip" in site.text(path)


@pytest.mark.parametrize("path", NAMES)
def test_one_play_is_enough(path, site):
    site.play("2025-07-12 22:30", "Kites", "Wren", LENGTH_MS)

    for period in ("all", "2025", "2025-07", "30d", "2024"):
        for choice in ("", "&measure=minutes", "&rule=done"):
            shown = site.text(f"{path}?period={period}{choice}")
            assert not {"None", "nan", "inf"} & set(shown.split())


def test_a_sample_history_shows_on_every_page(site, tmp_path):
    file = tmp_path / "sample.zip"
    until = datetime(2026, 1, 1, tzinfo=UTC)
    write_history_zip(file, plays=600, seed=1, until=until, layout="audio-2025")
    with zipfile.ZipFile(file) as archive:
        records = [
            record
            for name in archive.namelist()
            if "Audio" in name
            for record in json.loads(archive.read(name))
        ]
    site.database.run(
        "INSERT INTO listening_history (listener, source, played_at, ms_played, track_uri, "
        "track_name, artist_name, album_name, reason_start, reason_end, shuffle, skipped, "
        "platform) "
        "SELECT 'me', 'extended-history', ts, ms_played, spotify_track_uri, "
        "master_metadata_track_name, master_metadata_album_artist_name, "
        "master_metadata_album_album_name, reason_start, reason_end, shuffle, skipped, platform "
        "FROM jsonb_to_recordset(:records::jsonb) AS record (ts timestamptz, ms_played integer, "
        "spotify_track_uri text, master_metadata_track_name text, "
        "master_metadata_album_artist_name text, master_metadata_album_album_name text, "
        "reason_start text, reason_end text, shuffle boolean, skipped boolean, platform text) "
        "WHERE spotify_track_uri IS NOT NULL ON CONFLICT DO NOTHING",
        records=json.dumps(records),
    )

    for path in NAMES:
        for period in ("all", "2025"):
            shown = site.text(f"{path}?period={period}")
            assert not {"None", "nan", "inf"} & set(shown.split())
