"""Bad input costs no good row: every bad row is counted by reason, every bad file is named."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

pytestmark = pytest.mark.e2e

LISTENER = "dora"
FIRST_PLAYED_AT = datetime(2024, 1, 1, tzinfo=UTC)
REQUEST = 'request the "Extended streaming history" at spotify.com/account/privacy'
LONG_FOLDER = "x" * 10_000


def a_row(number, **changes):
    """A good row, unique by its number; `...` omits a field."""
    ended_at = FIRST_PLAYED_AT + timedelta(minutes=number)
    row = {
        "ts": f"{ended_at:%Y-%m-%dT%H:%M:%SZ}",
        "ms_played": 30_000,
        "master_metadata_track_name": f"Good {number}",
        "master_metadata_album_artist_name": "The Example",
        "master_metadata_album_album_name": None,
        "spotify_track_uri": f"spotify:track:Good{number}",
        "shuffle": False,
        **changes,
    }
    return {name: value for name, value in row.items() if value is not ...}


def a_file(*rows):
    return json.dumps(rows).encode()


NAME, ARTIST = "master_metadata_track_name", "master_metadata_album_artist_name"

QUARANTINED: tuple[tuple[str, Any], ...] = (
    ("ts missing", a_row(0, ts=...)),
    ("ts missing", a_row(0, ts=None)),
    ("ts missing", {}),
    ("ts unreadable", a_row(0, ts=["2024"])),
    ("ts unreadable", a_row(0, ts="yesterday")),
    ("ts before Spotify existed", a_row(0, ts="0001-01-01T00:00:00Z")),
    ("ts in the future", a_row(0, ts="9999-12-31T23:59:59Z")),
    ("ms_played missing", a_row(0, ms_played=...)),
    ("ms_played missing", a_row(0, ms_played=None)),
    ("ms_played negative", a_row(0, ms_played=-1)),
    ("ms_played too large", a_row(0, ms_played=1 << 31)),
    ("ms_played too large", a_row(0, ms_played=10**30)),
    ("ms_played not a whole number", a_row(0, ms_played="30000")),
    ("ms_played not a whole number", a_row(0, ms_played=1.5)),
    ("track uri without an id", a_row(0, spotify_track_uri="spotify:track:")),
    ("track uri without an id", a_row(0, spotify_track_uri="spotify:track:null")),
    ("bad track uri", a_row(0, spotify_track_uri=7)),
    ("track_name missing", a_row(0, **{NAME: ...})),
    ("track_name missing", a_row(0, **{NAME: None})),
    ("track_name not text", a_row(0, **{NAME: {"en": "Name"}})),
    ("track_name with a NUL character", a_row(0, **{NAME: "N\0me"})),
    ("track_name longer than 2000 characters", a_row(0, **{NAME: "N" * 10_000})),
    ("lone surrogate", a_row(0, **{NAME: "N\ud800me"})),
    ("artist_name with a NUL character", a_row(0, **{ARTIST: "\0"})),
    ("artist_name longer than 2000 characters", a_row(0, **{ARTIST: "A" * 10_000})),
    ("shuffle not true or false", a_row(0, shuffle="perhaps")),
    ("not an object", None),
    ("not an object", "row"),
    ("not an object", [a_row(0)]),
)
SKIPPED = (
    ("no track uri", a_row(0, spotify_track_uri=None)),
    (f"old layout without track uris: {REQUEST}", a_row(0, spotify_track_uri=...)),
    ("podcast episode", a_row(0, spotify_track_uri="spotify:episode:7")),
)
BESIDE = [row for _, row in QUARANTINED + SKIPPED]

FILES = {
    "MyData/endsong_0.json": a_file(a_row(0), *BESIDE, a_row(1)),
    "MyData/endsong_1.json": a_file(
        a_row(2, novelty={"deep": [1, None]}, ip_addr="203.0.113.7"),
        a_row(3, **{NAME: "N" * 2_000, ARTIST: "\uffff\u202e😀"}),
    ),
    "MyData/endsong_2.json": b"",
    "MyData/endsong_3.json": b"[]",
    "MyData/endsong_4.json": a_file(a_row(4), a_row(0))[:-20],
    "MyData/endsong_5.json": a_file(a_row(5)) + b' and more: {"ts": 1}]',
    "MyData/endsong_6.json": a_file(a_row(6), a_row(0, **{NAME: "ü"})).replace(
        rb"\u00fc", "ü".encode("latin-1")
    ),
    "MyData/endsong_7.json": a_file(a_row(0)).decode().encode("utf-16"),
    "MyData/endsong_8.json": json.dumps(a_row(0)).encode(),
    f"{LONG_FOLDER}/endsong_9.json": a_file(a_row(7)),
}
GOOD_ROWS = 8

PROBLEMS = {
    "MyData/endsong_2.json": "the file is empty: download it again",
    "MyData/endsong_3.json": "its list is empty: it holds no plays",
    "MyData/endsong_4.json": "cut off: the list has no closing bracket; download the file again",
    "MyData/endsong_5.json": "text follows the closing bracket of the list: only the list is read",
    "MyData/endsong_6.json": "not all of it is UTF-8 text: save the file as UTF-8",
    "MyData/endsong_7.json": "UTF-16 text: save the file as UTF-8",
    "MyData/endsong_8.json": "not a history file: its text is not a JSON list",
}


def a_zip(path, files):
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


@pytest.fixture(scope="module")
def report(local_cloud, tmp_path_factory):
    path = tmp_path_factory.mktemp("mixed") / "mixed.zip"
    return local_cloud.run_json("upload", a_zip(path, FILES), "--listener", LISTENER, "--wait")


def test_every_row_of_a_bad_upload_is_counted_once_by_its_reason(report):
    quarantined = Counter(reason for reason, _ in QUARANTINED) + Counter(["not UTF-8 text"])

    assert report["reconciled"] is True
    assert (report["inserted"], report["upgraded"], report["duplicates"]) == (GOOD_ROWS, 0, 0)
    assert report["quarantined"] == quarantined
    assert report["skipped"] == Counter(reason for reason, _ in SKIPPED)
    assert report["rows_in"] == GOOD_ROWS + quarantined.total() + len(SKIPPED)
    assert report["uploads"][0]["result"]["unusual_ids"] == GOOD_ROWS


def test_every_unreadable_file_is_named_with_its_reason(report):
    (upload,) = report["uploads"]
    problems = upload["result"]["problems"]

    assert {problem["file"]: problem["reason"] for problem in problems} == PROBLEMS
    assert len(problems) == len(PROBLEMS)


def test_a_long_file_name_is_reported_shortened_to_its_end(report):
    (upload,) = report["uploads"]
    *names, last = upload["result"]["files"]

    assert names == list(FILES)[:-1]
    assert last == "…" + f"{LONG_FOLDER}/endsong_9.json"[-99:]


def test_postgres_stores_exactly_the_readable_rows_of_a_bad_upload(local_cloud, report):
    stored = local_cloud.rows(
        "SELECT track_uri, played_at FROM listening_history WHERE listener = :listener "
        "ORDER BY played_at",
        listener=LISTENER,
    )

    assert [tuple(row) for row in stored] == [
        (f"spotify:track:Good{number}", FIRST_PLAYED_AT + timedelta(minutes=number))
        for number in range(GOOD_ROWS)
    ]


def test_an_upload_without_listening_history_fails_with_its_reason(local_cloud, tmp_path):
    (tmp_path / "empty.json").touch()
    (tmp_path / "text.zip").write_text("not what it says")
    bomb = a_zip(tmp_path / "bomb.zip", {"endsong_0.json": b" " * (20 << 20)})
    other = a_zip(tmp_path / "other.zip", {"MyData/Playlist1.json": b"[]"})
    files = [str(tmp_path / "empty.json"), str(tmp_path / "text.zip"), bomb, other]

    result = local_cloud.plays("upload", *files, "--listener", LISTENER, "--wait", "--json")

    uploads = json.loads(result.stdout)["uploads"]
    assert result.returncode == 1
    assert "nothing in " in result.stderr.splitlines()[-1]
    assert [upload["result"]["rows_in"] for upload in uploads] == [0, 0, 0, 0]
    assert [upload["result"]["problems"] for upload in uploads] == [
        [{"file": "empty.json", "reason": "the file is empty: download it again"}],
        [
            {
                "file": "text.zip",
                "reason": "not a zip file, although its name ends in .zip: download it again",
            }
        ],
        [
            {
                "file": "endsong_0.json",
                "reason": "unpacks to more than 200 times its size, as a zip bomb does: "
                "unpack the zip and upload what is in it",
            }
        ],
        [{"file": "other.zip", "reason": f"a zip without streaming history: {REQUEST}"}],
    ]


def test_a_bad_upload_leaves_no_dead_letter(local_cloud, report):
    dead = local_cloud.run_json("dlq", "list")

    assert dead["total"] == 0
