"""`plays export` from a real Postgres, by a connection and by the function `queries`."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime

import duckdb
import pytest

from cli import export_pages

COLUMNS = (
    "listener, played_at, track_uri, track_name, artist_name, album_name, ms_played, source, "
    "shuffle, incognito"
)
PLAYS = [
    # In the order of listeners and time.
    ("anna", "2025-01-01 12:00+00", "spotify:track:z", "Z", "Anna's", None, 60_000, False),
    (
        "me",
        "2024-12-31 22:59:59.999+00",
        "spotify:track:b",
        'Say "Hi", you',
        "A\nB",
        "",
        40_000,
        True,
    ),
    ("me", "2024-12-31 23:00+00", "spotify:track:a", "ü = 1", "B", None, None, None),
    ("me", "2024-12-31 23:00+00", "spotify:track:b", "Same", "B", None, 1_000, None),
    ("me", "2025-01-01 22:59:59.123+00", "spotify:track:c", "Last", "B", None, 50_000, None),
    ("me", "2025-01-01 23:00+00", "spotify:track:c", "Next", "B", None, 50_000, None),
]


@pytest.fixture(autouse=True)
def stored(database, monkeypatch):
    # Every page but the last is full, also where two plays end at once.
    monkeypatch.setattr(export_pages, "ROWS_PER_PAGE", 2)
    for listener, played_at, uri, track, artist, album, ms, shuffle in PLAYS:
        database.run(
            f"INSERT INTO listening_history ({COLUMNS}) VALUES (:listener, :at, :uri, :track, "  # noqa: S608 - the test's own
            ":artist, :album, :ms, 'recently-played', :shuffle, false)",
            listener=listener,
            at=played_at,
            uri=uri,
            track=track,
            artist=artist,
            album=album,
            ms=ms,
            shuffle=shuffle,
        )
    database.run(
        "INSERT INTO track_features (track_uri, tempo, key, source, fetched_at) "
        "VALUES ('spotify:track:b', 120.5, 3, 'reccobeats', now())"
    )
    database.run("INSERT INTO listener_setting VALUES ('me', 'Europe/Berlin')")


def succeeded(result):
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_csv_holds_every_play_once_in_order(plays):
    rows = list(csv.DictReader(io.StringIO(succeeded(plays("export")))))

    assert [row["track_name"] for row in rows] == [play[3] for play in PLAYS]
    assert rows[1]["artist_name"] == "A\nB"
    assert rows[1]["played_at"] == "2024-12-31T22:59:59.999Z"
    assert [row["shuffle"] for row in rows] == ["false", "true", "", "", "", ""]
    assert tuple(rows[0]) == export_pages.PLAY_COLUMNS


def test_json_lines_keep_types_and_write_unknown_values_as_null(plays):
    lines = succeeded(plays("export", "--format", "jsonl", "--listener", "me")).splitlines()

    first, second, *_ = map(json.loads, lines)
    assert len(lines) == 5
    assert (first["ms_played"], first["shuffle"], first["album_name"]) == (40_000, True, "")
    assert (second["ms_played"], second["shuffle"], second["album_name"]) == (None, None, None)
    assert second["track_name"] == "ü = 1"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        # Berlin is an hour ahead of UTC.
        (["--from", "2025-01-01", "--to", "2025-01-01"], ["ü = 1", "Same", "Last"]),
        (["--to", "2024-12-31"], ['Say "Hi", you']),
        (["--from", "2025-01-02"], ["Next"]),
        (["--from", "2025-01-03"], []),
        (["--from", "2025-01-01T00:01", "--to", "2025-01-01T23:59"], []),
        (["--from", "2025-01-01T23:59", "--to", "2025-01-02"], ["Last", "Next"]),
    ],
)
def test_from_and_to_are_inclusive_in_the_listeners_time_zone(plays, arguments, names):
    result = plays("export", "--listener", "me", *arguments)

    rows = list(csv.DictReader(io.StringIO(succeeded(result))))
    assert [row["track_name"] for row in rows] == names
    assert f"{len(names)} plays" in result.stderr


def test_option_features_adds_features_and_null_if_unknown(plays):
    lines = succeeded(plays("export", "--format", "jsonl", "--features")).splitlines()

    tempos = [json.loads(line)["tempo"] for line in lines]
    assert tempos == [None, 120.5, None, 120.5, None, None]


def test_parquet_has_the_types_of_postgres(plays, tmp_path):
    path = tmp_path / "plays.parquet"

    succeeded(plays("export", "--features", "--out", str(path)))

    with duckdb.connect() as connection:
        connection.execute("SET timezone = 'UTC'")
        rows = connection.read_parquet(str(path)).project(
            "listener, played_at, ms_played, shuffle, tempo, key, track_name"
        )
        assert rows.fetchall()[1] == (
            "me",
            datetime(2024, 12, 31, 22, 59, 59, 999_000, tzinfo=UTC),
            40_000,
            True,
            120.5,
            3,
            'Say "Hi", you',
        )
        assert rows.count("*").fetchall() == [(6,)]


def test_a_listenbrainz_export_is_a_zip_of_json_lines_by_year(plays, tmp_path):
    path = tmp_path / "listens.zip"

    result = plays(
        "export", "--format", "listenbrainz", "--listener", "me", "--out", str(path), "--json"
    )

    written = json.loads(succeeded(result))
    assert (written["plays"], written["listeners"]) == (5, ["me"])
    assert written["left_out"] == {"shorter than ListenBrainz counts": 1}
    with zipfile.ZipFile(path) as archive:
        years = {name: archive.read(name).decode().splitlines() for name in archive.namelist()}
    assert {name: len(lines) for name, lines in years.items()} == {
        "listens/2024-0.jsonl": 2,
        "listens/2025-1.jsonl": 2,
    }
    last = json.loads(years["listens/2025-1.jsonl"][0])
    assert last["listened_at"] == datetime(2025, 1, 1, 22, 59, 9, tzinfo=UTC).timestamp()


def test_a_listenbrainz_export_of_two_listeners_is_refused(plays):
    result = plays("export", "--format", "listenbrainz")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "belongs to one person: choose anna or me with --listener" in result.stderr


def test_an_unknown_listener_is_refused(plays):
    assert "no play of zoe is stored" in plays("export", "--listener", "zoe").stderr


def test_an_end_date_before_the_start_date_is_refused(plays):
    result = plays("export", "--from", "2025-01-02", "--to", "2025-01-01")

    assert "--to is not after --from, which is 2025-01-02" in result.stderr


def test_an_interrupted_export_leaves_no_file(plays, target, tmp_path):
    target.faults = iter([KeyboardInterrupt()])

    result = plays("export", "--out", str(tmp_path / "plays.csv"))

    assert result.exit_code == 130
    assert result.stderr == "plays: stopped: no file was written\n"
    assert list(tmp_path.iterdir()) == []


def test_a_csv_export_without_plays_has_only_its_header(plays, owner):
    owner.run("TRUNCATE listening_history, listener_setting CASCADE")

    assert succeeded(plays("export")) == ",".join(export_pages.PLAY_COLUMNS) + "\n"
