"""Rows of an earlier release in a later schema, and its loader that still runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.loader.migrate import MIGRATIONS
from shared.postgres import Database
from tests.unit.loader.loader_examples import EXPORT, a_batch, a_play

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECOND = next(MIGRATIONS.glob("0002_*.sql")).read_text()
UNUSUAL_IDS = next(MIGRATIONS.glob("*_unusual_ids.sql")).read_text()
RECORD_GAP = """
INSERT INTO gap (listener, started_at, ended_at, reason, origin)
SELECT :listener, started_at, ended_at, reason, :origin
FROM jsonb_populate_record(NULL::gap, :gap::jsonb)
ON CONFLICT (listener, started_at, ended_at) DO NOTHING
"""
RECORD_IMPORT = """
INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, quarantined,
                           files, problems, first_played_at, last_played_at)
SELECT :origin, :listener, batches, rows_in, published, skipped, quarantined,
       files, problems, first_played_at, last_played_at
FROM jsonb_populate_record(NULL::import_report, :report::jsonb)
ON CONFLICT (origin) DO NOTHING
"""
UPSERT_FEATURES = """
INSERT INTO track_features AS t (track_uri, tempo, source, fetched_at)
SELECT track_uri, tempo, source, fetched_at
FROM json_populate_recordset(NULL::track_features, :features::json)
ON CONFLICT (track_uri) DO UPDATE SET tempo = excluded.tempo
WHERE t.fetched_at <> excluded.fetched_at
"""
REPORT = """
{"kind": "upload", "batches": 1, "rows_in": 0, "published": 0, "skipped": {}, "quarantined": {},
 "files": [], "problems": []}
"""
FEATURES = """
[{"track_uri": "spotify:track:a", "tempo": 99, "popularity": 50, "source": "reccobeats",
  "fetched_at": "2026-11-01T12:00:00Z"}]
"""


def a_gap(hours: float) -> str:
    ended_at = (NOON + timedelta(hours=hours)).isoformat()
    return f'{{"started_at": "{NOON.isoformat()}", "ended_at": "{ended_at}", "reason": "full"}}'


@pytest.fixture
def first_release(owner) -> Iterator[Database]:
    """The empty schema of the first release; the current one returns when the test ends."""
    owner.run("BEGIN")
    owner.run("DROP SCHEMA reporting, derived CASCADE")
    owner.run("DROP FUNCTION remove_listener")
    owner.run(
        "DROP TABLE merged_record, listening_history, track_features, poll, gap, loaded_batch, "
        "import_report"
    )
    owner.run((MIGRATIONS / "0001_schema.sql").read_text())
    yield owner
    owner.run("ROLLBACK")


@pytest.fixture
def record_gap(first_release):
    """Record a gap as the first release does, before or after the migration."""

    def record(hours: float, origin: str = "polls/me/1", listener: str = "me"):
        first_release.run(RECORD_GAP, listener=listener, origin=origin, gap=a_gap(hours))

    return record


def test_migrating_a_first_release_gap_sets_opened_at_to_its_poll_time(first_release, record_gap):
    first_release.run("INSERT INTO poll VALUES ('polls/me/1', 'me', :at, 50, 50, 0, 0, 0)", at=NOON)
    record_gap(2)

    first_release.run(SECOND)

    assert first_release.run(
        "SELECT started_at, ended_at, reason, opened_at, closed_at FROM gap"
    ) == [[NOON, NOON + timedelta(hours=2), "full", NOON, None]]


def test_migration_keeps_the_earlier_end_of_a_gap_stored_twice(first_release, record_gap):
    record_gap(3, "polls/me/2")
    record_gap(2, "polls/me/1")
    record_gap(5, "polls/jane/1", listener="jane")

    first_release.run(SECOND)

    assert first_release.run("SELECT listener, ended_at, origin FROM gap ORDER BY 1") == [
        ["jane", NOON + timedelta(hours=5), "polls/jane/1"],
        ["me", NOON + timedelta(hours=2), "polls/me/1"],
    ]


def test_migration_keeps_the_values_of_first_release_rows(first_release):
    first_release.run(
        "INSERT INTO listening_history "
        "(track_uri, track_name, artist_name, played_at, popularity, listener, source) "
        "VALUES ('a', 'Boats', 'The Example', :at, 7, 'me', 'recently-played')", at=NOON
    )  # fmt: skip
    first_release.run(UPSERT_FEATURES, features=FEATURES)
    first_release.run(RECORD_IMPORT, origin="history/me/a.zip", listener="me", report=REPORT)

    first_release.run(SECOND)

    assert first_release.run("SELECT popularity FROM listening_history") == [[7]]
    assert first_release.run("SELECT tempo, popularity FROM track_features") == [[99.0, None]]
    assert first_release.run("SELECT origin, spans FROM import_report") == [
        ["history/me/a.zip", []]
    ]


def test_the_first_release_loader_still_works_after_the_migration(first_release, record_gap):
    first_release.run(SECOND)

    record_gap(2)
    record_gap(2)
    first_release.run(RECORD_IMPORT, origin="history/me/a.zip", listener="me", report=REPORT)
    first_release.run(UPSERT_FEATURES, features=FEATURES)

    assert first_release.run("SELECT ended_at, closed_at FROM gap") == [
        [NOON + timedelta(hours=2), None]
    ]
    assert first_release.run("SELECT spans FROM import_report") == [[[]]]
    assert first_release.run("SELECT tempo, popularity FROM track_features") == [[99.0, None]]


def test_uploads_reported_by_an_earlier_release_have_0_in_column_unusual_ids(first_release):
    first_release.run(SECOND)
    first_release.run(RECORD_IMPORT, origin="history/me/a.zip", listener="me", report=REPORT)

    first_release.run(UNUSUAL_IDS)
    first_release.run(RECORD_IMPORT, origin="history/me/b.zip", listener="me", report=REPORT)

    assert first_release.run(
        "SELECT origin, unusual_ids FROM reporting.import_result ORDER BY 1"
    ) == [["history/me/a.zip", 0], ["history/me/b.zip", 0]]


def test_a_play_is_stored_beside_an_old_row_whose_uri_is_spotify_track_null(load, rows, owner):
    owner.run(
        "INSERT INTO listening_history "
        "(track_uri, track_name, artist_name, played_at, history_ts, listener, source) "
        "VALUES ('spotify:track:null', 'Boats', 'The Example', :at, :at, 'me', 'extended-history')",
        at=NOON,
    )

    load(a_batch(a_play(1), source=EXPORT))

    assert rows("SELECT count(*) FROM listening_history") == [[2]]
