"""Years of plays from Spotify's exports; every row is counted."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import ZipFile

import pytest

from infra.local.sample_history import write_history_zip

pytestmark = pytest.mark.e2e

UNTIL = datetime(2024, 5, 1, tzinfo=UTC)
PLAYS = 3_000


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """One person's export, an earlier overlapping export, and the summary of the first."""
    folder = tmp_path_factory.mktemp("exports")
    later, earlier = folder / "later.zip", folder / "earlier.zip"
    settings: dict[str, Any] = {"plays": PLAYS, "seed": 7, "until": UNTIL}
    summary = write_history_zip(later, **settings)
    write_history_zip(earlier, **settings, as_of=UNTIL - timedelta(days=30))
    return later, earlier, summary


@pytest.fixture(scope="module")
def first(local_cloud, exports):
    """The report of the first upload."""
    later, _, _ = exports
    return local_cloud.run_json("upload", str(later), "--listener", "anna", "--wait")


def test_every_row_of_an_export_is_stored_or_has_a_counted_reason(local_cloud, exports, first):
    _, _, summary = exports

    assert first["reconciled"] is True
    assert first["rows_in"] == summary.rows
    assert first["inserted"] == local_cloud.count("anna") == summary.distinct_plays
    assert sum(first["skipped"].values()) == summary.rows - summary.music > 0
    assert first["quarantined"] == {}


def test_uploading_the_same_export_again_adds_no_row(local_cloud, exports, first):
    later, _, summary = exports

    again = local_cloud.run_json("upload", str(later), "--listener", "anna", "--wait")

    assert again["reconciled"] is True
    assert (again["inserted"], again["duplicates"]) == (0, summary.music)
    assert local_cloud.count("anna") == summary.distinct_plays


def test_an_earlier_export_of_the_same_listener_adds_no_row(local_cloud, exports, first):
    _, earlier, summary = exports

    older = local_cloud.run_json("upload", str(earlier), "--listener", "anna", "--wait")

    assert older["reconciled"] is True
    assert older["rows_in"] > 0
    assert older["inserted"] == 0
    assert local_cloud.count("anna") == summary.distinct_plays


def test_two_uploads_with_the_same_name_are_both_loaded(local_cloud, eventually, exports, tmp_path):
    later, earlier, summary = exports
    first, second = tmp_path / "a" / "export.zip", tmp_path / "b" / "export.zip"
    first.parent.mkdir()
    second.parent.mkdir()
    first.write_bytes(earlier.read_bytes())
    second.write_bytes(later.read_bytes())

    (sent,) = local_cloud.run_json("upload", str(first), "--listener", "twice")["uploads"]
    local_cloud.run_json("upload", str(second), "--listener", "twice", "--wait")

    eventually(lambda: is_reported(local_cloud, sent["origin"]), within_s=60)
    assert local_cloud.count("twice") == summary.distinct_plays


def test_a_file_that_is_not_a_zip_fails_with_its_reason(local_cloud, tmp_path):
    bad = tmp_path / "bad.zip"
    bad.write_text("not what it says")

    result = local_cloud.plays("upload", str(bad), "--listener", "mixed", "--wait", "--json")

    assert result.returncode == 1
    assert "could be read: bad.zip: not a zip" in result.stderr.splitlines()[-1]
    assert json.loads(result.stdout)["rows_in"] == 0


def test_a_broken_file_is_reported_and_the_others_are_loaded(local_cloud, exports, tmp_path):
    later, _, summary = exports
    mixed = tmp_path / "mixed.zip"
    mixed.write_bytes(later.read_bytes())
    with ZipFile(mixed, "a") as archive:
        archive.writestr("MyData/endsong_9.json", '[{"ts": ')

    report = local_cloud.run_json("upload", str(mixed), "--listener", "mixed", "--wait")

    (problem,) = report["uploads"][0]["result"]["problems"]
    assert problem["file"] == "MyData/endsong_9.json"
    assert report["reconciled"] is True
    assert local_cloud.count("mixed") == summary.distinct_plays


def is_reported(local_cloud, origin):
    return local_cloud.rows("SELECT 1 FROM import_report WHERE origin = :origin", origin=origin)
