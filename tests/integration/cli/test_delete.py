"""`plays delete` with a real Postgres and the code of the function `derive`."""

import json
from datetime import UTC, datetime

import pytest

from cli.deletions import sync_deletions
from services.loader.store import Store
from tests.integration.cli.conftest import BUCKET
from tests.unit.loader.loader_examples import EXPORT, a_batch
from tests.unit.loader.memory_table import exported

PLAYS = [
    exported(0, "a", artist_name="Peppa Pig", track_name="Muddy \x1b[2J Puddles"),
    exported(300, "a", artist_name="Peppa Pig", track_name="Muddy \x1b[2J Puddles"),
    exported(600, "b", artist_name="Bluey", ms=10_000),
    exported(900, "c", artist_name="Dool"),
]


@pytest.fixture(autouse=True)
def stored(database, target):
    target.client("secretsmanager").create_secret(Name="spotify-pipeline/listener/me")
    Store(database).load([a_batch(*(play for _, play in PLAYS), source=EXPORT)])


@pytest.fixture
def names(database):
    return lambda: [name for (name,) in database.run(
        "SELECT artist_name FROM listening_history ORDER BY played_at")]  # fmt: skip


def succeeded(result):
    assert result.exit_code == 0, result.output
    return result.stdout


def archived(target):
    listed = target.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="deletions/")
    return [each["Key"] for each in listed.get("Contents", [])]


def test_a_dry_run_lists_the_matching_plays_and_deletes_none(plays, names, target):
    shown = succeeded(plays("delete", "--artist", "peppa pig", "--artist", "bluey", "--dry-run"))

    assert "3 plays match, 6 minutes" in shown
    assert "\\u001b[2J Puddles" in shown
    assert "nothing was deleted; the rule would be: artist peppa pig or bluey" in shown
    assert len(names()) == 4
    assert archived(target) == []


def test_a_deletion_is_listed_and_can_be_undone(plays, names, target):
    deleted = succeeded(plays("delete", "--artist", "Peppa Pig", "--yes"))
    listed = json.loads(succeeded(plays("delete", "--list", "--json")))["deletions"]

    assert "2 plays are deleted" in deleted
    assert names() == ["Bluey", "Dool"]
    assert [(each["number"], each["plays"], each["kept_out"]) for each in listed] == [(1, 2, 2)]
    assert listed[0]["rule"] == {"artists": ["peppa pig"]}
    assert listed[0]["deleted_by"].startswith("arn:aws:")
    assert len(archived(target)) == 1

    assert json.loads(succeeded(plays("delete", "--undo", "1", "--json"))) == {"plays": 2}
    assert len(names()) == 4
    assert len(archived(target)) == 2
    shown = succeeded(plays("delete", "--list"))
    assert "artist peppa pig" in shown
    assert "undone 20" in shown
    again = plays("delete", "--undo", "1")
    assert (again.exit_code, again.stderr) == (
        1,
        "plays: deletion 1 does not exist or is already undone: see `plays delete --list`\n",
    )


def test_every_option_becomes_a_condition_of_the_deletion_rule(plays, names):
    options = ["--track", "Name b", "--album", "x", "--platform", "ios", "--shorter-than", "30"]
    times = ["--from", "2026-11-01T12:00", "--to", "2026-11-01"]

    document = json.loads(succeeded(plays("delete", *options, *times, "--dry-run", "--json")))

    assert (document["plays"], document["first_played_at"]) == (0, None)
    rule = document["rule"]
    assert [datetime.fromisoformat(rule.pop(name)) for name in ("since", "until")] == [
        datetime(2026, 11, 1, 12, tzinfo=UTC),
        datetime(2026, 11, 2, tzinfo=UTC),
    ]
    assert rule == {
        "tracks": ["name b"],
        "albums": ["x"],
        "platform": "ios",
        "shorter_than_ms": 30_000,
    }


def test_option_track_accepts_a_spotify_link(plays):
    link = "https://open.spotify.com/intl-de/track/4uLU6hMCjMI75M1A2tKUQC?si=1"

    document = json.loads(succeeded(plays("delete", "--track", link, "--dry-run", "--json")))

    assert document["rule"] == {"tracks": ["spotify:track:4uLU6hMCjMI75M1A2tKUQC"]}


def test_deletions_lost_from_postgres_are_restored_from_the_archive(plays, names, target, owner):
    succeeded(plays("delete", "--artist", "Peppa Pig", "--yes"))
    succeeded(plays("delete", "--artist", "Bluey", "--yes"))
    succeeded(plays("delete", "--undo", "2"))
    # As in a database that was made anew and filled by a rebuild.
    owner.run("INSERT INTO listening_history SELECT * FROM deleted_play")
    owner.run("TRUNCATE deletion, deleted_play CASCADE")

    sync_deletions(target)

    assert names() == ["Bluey", "Dool"]
    assert len(archived(target)) == 3
    listed = json.loads(succeeded(plays("delete", "--list", "--json")))["deletions"]
    assert [each["undone_at"] is None for each in listed] == [True, False]


def test_nothing_is_deleted_without_confirmation(plays, names):
    result = plays("delete", "--artist", "Peppa Pig")

    assert result.exit_code == 1
    assert result.stderr.endswith("keeps out: artist Peppa Pig: pass --yes to agree\n")
    assert len(names()) == 4


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "plays: no plays were chosen: pass --track, --artist"),
        (["--undo", "7"], "plays: deletion 7 does not exist"),
        (["--undo", "1", "--dry-run"], "plays: --list and --undo stand alone"),
        (["--list", "--artist", "A"], "plays: --list and --undo stand alone"),
        (["--artist", "A", "--listener", "zoe", "--yes"], "plays: there is no listener zoe"),
        (["--from", "1900-01-01", "--yes"], "plays: invalid deletion, change its options: since:"),
    ],
)
def test_an_invalid_deletion_prints_a_one_line_error(plays, arguments, line):
    result = plays("delete", *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
