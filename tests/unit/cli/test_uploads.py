import json
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from cli.uploads import QUIET, UploadEntry, find_trouble, uploads_in_trouble
from services.collector.backfill.domain.rows import ACCOUNT_DATA
from tests.unit.cli.conftest import KnownTarget

NOW = OLD = datetime(2026, 7, 1, 12, tzinfo=UTC)
ARCHIVE = "archive"


class KnowingTarget(KnownTarget):
    """A target whose Postgres knows uploads; each is a row of the statement."""

    rows: list[list[object]]

    @contextmanager
    def database(self):
        # The report of one upload is never found.
        yield SimpleNamespace(run=lambda _statement, origin=None: [] if origin else self.rows)


@pytest.fixture
def target(target):
    target = KnowingTarget(target.name, target.stack, target.session)
    object.__setattr__(target, "rows", [])
    return target


@pytest.fixture
def archived(target):
    """Put an object into the archive; return its origin."""

    def put(key):
        answer = target.client("s3").put_object(Bucket=ARCHIVE, Key=key, Body=b"content")
        return f"{key}?versionId={answer['VersionId']}"

    return put


@pytest.fixture
def known(target):
    """Let Postgres know an upload."""

    def know(origin, loaded=0, published=0, *, is_complete=True, **facts):
        fields = {
            "changed_at": datetime.now(UTC),
            "rows_in": 9,
            "skipped": {},
            "quarantined": {},
            "problems": [],
        } | facts
        target.rows.append([origin, "me", loaded, published, is_complete, *fields.values()])

    return know


@pytest.fixture
def uploads(plays):
    return lambda: json.loads(plays("uploads", "--json").stdout)["uploads"]


def test_without_uploads_the_list_says_how_to_send_one(plays):
    assert plays("uploads").stdout == "there are no uploads yet: `plays upload FILE` sends one\n"


def test_each_upload_has_its_listener_file_and_state(archived, known, uploads):
    known(archived("history/me/whole.zip"), 7, 7)
    known(archived("history/anna/half.zip"), 3, 7, is_complete=False)
    known(archived("history/reading.json"), 3, None, is_complete=False, rows_in=None)
    archived("history/me/new.zip")

    shown = {
        each["file"]: (each["listener"], each["state"], each["plays_loaded"], each["plays"])
        for each in uploads()
    }

    assert shown == {
        "whole.zip": ("me", "loaded", 7, 7),
        "half.zip": ("anna", "loading", 3, 7),
        "reading.json": ("me", "loading", 3, None),
        "new.zip": ("me", "waiting", 0, None),
    }


def test_each_upload_with_a_problem_has_a_state_and_the_reason(archived, known, uploads):
    damaged = [{"file": "broken.zip", "reason": "a damaged zip"}]
    known(archived("history/me/broken.zip"), rows_in=0, problems=damaged)
    known(archived("history/me/account.zip"), skipped={ACCOUNT_DATA: 9})
    known(archived("history/me/some.json"), 8, 8, quarantined={"no time": 1})
    known(archived("history/me/podcasts.json"), skipped={"podcast episode": 9})

    shown = {each["file"]: (each["state"], each["reasons"]) for each in uploads()}

    assert shown == {
        "broken.zip": ("failed", ["broken.zip: a damaged zip"]),
        "account.zip": ("failed", [f"rows skipped: {ACCOUNT_DATA} (9)"]),
        "some.json": ("partly loaded", ["rows quarantined: no time (1)"]),
        "podcasts.json": ("loaded", ["no play of a track is in it"]),
    }


def test_files_that_are_no_history_are_listed_but_folder_markers_are_not(archived, uploads):
    archived("history/me/")
    archived("history/me/notes.txt")

    assert [each["file"] for each in uploads()] == ["notes.txt"]


def test_an_upload_whose_file_was_deleted_is_still_listed(known, uploads):
    known("history/anna/gone.zip?versionId=1", 7, 7, changed_at=OLD)

    (shown,) = uploads()

    assert (shown["listener"], shown["file"], shown["size_bytes"]) == ("anna", "gone.zip", None)
    assert (shown["uploaded_at"], shown["state"]) == ("2026-07-01T12:00:00.000Z", "loaded")


def test_uploads_are_numbered_from_the_oldest_and_listed_from_the_newest(known, uploads):
    for hour, name in ((3, "c"), (1, "a"), (2, "b")):
        known(f"history/me/{name}.zip?versionId=1", changed_at=NOW + timedelta(hours=hour))

    assert [(each["number"], each["file"]) for each in uploads()] == [
        (3, "c.zip"),
        (2, "b.zip"),
        (1, "a.zip"),
    ]


@pytest.fixture
def quiet(known):
    """An upload of which nothing has been loaded for a while."""
    known(
        "history/me/a.zip?versionId=1",
        3,
        7,
        is_complete=False,
        changed_at=datetime.now(UTC) - 2 * QUIET,
    )


@pytest.fixture
def send(target):
    def to(key):
        target.client("sqs").send_message(QueueUrl=target.output(key), MessageBody="{}")

    return to


@pytest.mark.usefixtures("quiet")
def test_an_incomplete_upload_without_messages_in_any_queue_is_stuck(uploads):
    (shown,) = uploads()

    assert shown["state"] == "stuck"
    assert "`plays rebuild` sends it again" in shown["reasons"][-1]


@pytest.mark.usefixtures("quiet")
def test_dead_letters_are_named_as_the_reason_of_a_stuck_upload(uploads, send):
    send("CollectedPlaysDlqUrl")

    (shown,) = uploads()

    assert shown["state"] == "stuck"
    assert "`plays dlq replay collected-plays`" in shown["reasons"][-1]


@pytest.mark.usefixtures("quiet")
def test_an_upload_is_not_stuck_while_messages_wait(uploads, send):
    send("CollectedPlaysQueueUrl")

    assert [each["state"] for each in uploads()] == ["loading"]


def test_an_upload_that_loaded_plays_a_moment_ago_is_not_stuck(known, uploads):
    known("history/me/a.zip?versionId=1", 3, 7, is_complete=False)

    assert [each["state"] for each in uploads()] == ["loading"]


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_the_list_shows_the_reasons_below_the_table_of_uploads(
    plays, archived, known, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    known(archived("history/me/a.zip"), 8, 8, quarantined={"no time": 1})

    shown = plays("uploads").stdout

    assert "partly loaded" in shown
    assert "1: rows quarantined: no time (1)" in shown.splitlines()
    assert max(map(len, shown.splitlines())) <= int(columns)


def test_uploads_before_the_newest_20_are_shown_only_with_option_all(plays, known):
    for number in range(22):
        known(f"history/me/{number}.zip?versionId=1", 7, 7)

    assert plays("uploads").stdout.splitlines()[-1] == "2 older ones: `plays uploads --all`"
    assert len(plays("uploads", "--all").stdout.splitlines()) == 23


def test_an_unknown_number_is_refused_with_the_known_ones(plays, known):
    known("history/me/a.zip?versionId=1", 7, 7)

    result = plays("uploads", "show", "2")

    assert result.exit_code == 1
    assert result.stderr == "plays: there is no upload 2: numbers are 1 to 1, see `plays uploads`\n"


@pytest.mark.parametrize("option", ["--json", "--all"])
def test_an_option_before_the_subcommand_is_refused(plays, option):
    result = plays("uploads", option, "show", "1")

    assert result.exit_code == 2
    assert "put options after the command: `plays uploads show NUMBER --json`" in result.stderr


def test_without_postgres_the_list_fails_with_the_reason(target, plays, monkeypatch):
    monkeypatch.setattr(KnowingTarget, "database", KnownTarget.database)

    result = plays("uploads")

    assert (result.exit_code, result.stderr) == (1, "plays: connection refused\n")


@pytest.fixture
def failed(archived, known):
    """An upload that failed; its number is 1."""
    known(
        archived("history/me/broken.zip"),
        problems=[{"file": "broken.zip", "reason": "a damaged zip"}],
    )


@pytest.fixture
def trouble(target):
    """Return the function that counts the uploads in trouble."""

    def count(removed=()):
        with target.database() as database:
            return uploads_in_trouble(target, database, removed)

    return count


@pytest.mark.usefixtures("failed")
def test_a_dismissed_upload_is_listed_but_not_counted_as_a_problem(plays, trouble):
    assert "`plays uploads dismiss 1`" in plays("uploads", "show", "1").stdout

    result = plays("uploads", "dismiss", "1")

    assert result.exit_code == 0
    assert result.stdout == (
        "upload 1 (broken.zip of me) is dismissed: `plays status` no longer reports it\n"
    )
    assert (trouble().failed, trouble().newest_problem) == (0, None)
    assert "failed, dismissed" in plays("uploads").stdout
    assert "a damaged zip" not in plays("uploads").stdout


def test_dismissing_one_version_of_a_file_keeps_problems_of_the_other(
    plays, archived, known, trouble
):
    for _ in range(2):
        known(archived("history/me/broken.zip"), problems=[{"file": "broken.zip", "reason": "no"}])

    plays("uploads", "dismiss", "1")

    assert trouble().newest_problem.number == 2


def test_an_upload_without_a_problem_cannot_be_dismissed(plays, archived, known):
    known(archived("history/me/whole.zip"), 7, 7)

    result = plays("uploads", "dismiss", "1")

    assert result.exit_code == 1
    assert result.stderr == "plays: upload 1 is loaded, so there is nothing to dismiss\n"


@pytest.mark.usefixtures("quiet")
def test_a_stuck_upload_whose_file_was_deleted_is_not_counted_as_a_problem(uploads, trouble):
    assert [(each["state"], each["dismissed"]) for each in uploads()] == [("stuck", True)]
    assert trouble().newest_problem is None


@pytest.mark.usefixtures("failed")
def test_an_upload_of_a_removed_listener_is_not_counted_as_a_problem(trouble):
    assert trouble(removed=["anna"]).failed == 1
    assert trouble(removed=["me"]).failed == 0


def an_entry(number, state, *, file="a.zip", age=timedelta(), unread_files=0):
    return UploadEntry(
        number=number,
        uploaded_at=NOW - age,
        listener="me",
        file=file,
        key=f"history/me/{file}",
        origin=f"{file}{number}",
        size_bytes=1,
        state=state,
        unread_files=unread_files,
        plays_loaded=0,
        plays=None,
        reasons=(f"why {number}",),
    )


def test_the_newest_upload_with_a_problem_is_named_with_its_reason():
    found = find_trouble(
        [
            an_entry(1, "stuck"),
            an_entry(2, "failed", file="b.zip"),
            an_entry(3, "loading", file="c"),
        ],
        NOW,
    )

    assert (found.in_progress, found.stuck, found.failed) == (1, 1, 1)
    assert found.newest_problem
    assert (found.newest_problem.number, found.newest_problem.reason) == (2, "why 2")


@pytest.mark.parametrize("state", ["waiting", "loaded", "partly loaded"])
def test_a_later_upload_of_the_same_file_clears_its_problem(state):
    found = find_trouble([an_entry(1, "stuck"), an_entry(2, state)], NOW)

    assert (found.stuck, found.newest_problem) == (0, None)


def test_an_upload_with_a_file_that_could_not_be_read_is_a_problem():
    found = find_trouble([an_entry(1, "partly loaded", unread_files=1)], NOW)

    assert (found.failed, found.partly_loaded) == (0, 1)
    assert found.newest_problem
    assert found.newest_problem.state == "partly loaded"


def test_a_failed_upload_is_a_problem_for_a_week_and_a_stuck_one_for_ever():
    month = timedelta(days=30)
    found = find_trouble(
        [an_entry(1, "failed", age=month), an_entry(2, "stuck", file="b.zip", age=month)], NOW
    )

    assert (found.failed, found.stuck) == (0, 1)
