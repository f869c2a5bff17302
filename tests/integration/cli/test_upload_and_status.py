import json
import threading
import time
from datetime import UTC, datetime, timedelta
from zipfile import ZipFile

import pytest

from cli.commands.poll import fetch_poll
from cli.upload_report import fetch_upload_progress, fetch_upload_report
from cli.waiting import UnfinishedError, Waiting
from services.loader.store import Store
from shared.errors import DatabaseAwayError
from shared.models import iso
from tests.fakes.track_cache import NOON, wait_for_features
from tests.unit.loader.loader_examples import a_batch, a_play

DAY_S = 86_400
UPLOAD = "history/me/a.zip?versionId=1"
POLL = "polls/me/2026/07/01/x.json.gz"


@pytest.fixture
def reported(database):
    """Insert the report of an upload, as the loader does."""

    def report(origin=UPLOAD, batches=1, rows_in=10, published=7, **sets):
        database.run(
            "INSERT INTO import_report (origin, listener, batches, rows_in, published, skipped, "
            "quarantined, files, problems, first_played_at, last_played_at, unusual_ids) "
            "VALUES (:origin, 'me', :batches, :rows_in, :published, :skipped, :quarantined, "
            "'[\"endsong_0.json\"]', :problems, '2026-07-01T00:00:00Z', '2026-07-02T00:00:00Z', "
            ":unusual_ids)",
            origin=origin,
            batches=batches,
            rows_in=rows_in,
            published=published,
            skipped=json.dumps(sets.get("skipped", {"podcast": 2})),
            quarantined=json.dumps(sets.get("quarantined", {"no time": 1})),
            problems=json.dumps(sets.get("problems", [])),
            unusual_ids=sets.get("unusual_ids", 0),
        )

    return report


@pytest.fixture
def polled(database):
    database.run(
        "INSERT INTO poll VALUES (:origin, 'me', '2026-07-01T12:00:00.5Z', 50, 3, 1, 0, 0)",
        origin=POLL,
    )


@pytest.fixture
def history(target, tmp_path):
    """Write an export of the deployed listener me."""
    target.client("secretsmanager").create_secret(Name="spotify-pipeline/listener/me")
    path = tmp_path / "a.zip"
    path.write_bytes(b"export")
    return path


def test_an_upload_has_no_report_before_its_last_batch(reader, reported, loaded):
    reported(batches=2)
    loaded(UPLOAD, 0, inserted=4)

    assert fetch_upload_report(reader, UPLOAD) is None
    assert fetch_upload_progress(reader, UPLOAD) == (4, 7)


def test_the_progress_total_is_unknown_before_the_report(reader, loaded):
    loaded(UPLOAD, 0, inserted=4)

    assert fetch_upload_progress(reader, UPLOAD) == (4, None)


def test_a_loaded_upload_has_a_complete_report(reader, reported, loaded):
    reported(batches=2, problems=[{"file": "endsong_1.json", "reason": "truncated"}])
    loaded(UPLOAD, 0, inserted=4)
    loaded(UPLOAD, 1, inserted=0, upgraded=1, duplicates=2)

    result = fetch_upload_report(reader, UPLOAD)

    assert (result.inserted, result.upgraded, result.duplicates) == (4, 1, 2)
    assert (result.skipped, result.quarantined) == ({"podcast": 2}, {"no time": 1})
    assert result.problems[0].reason == "truncated"
    assert result.files == ("endsong_0.json",)
    assert result.is_reconciled


def test_upload_with_wait_prints_the_reconciled_report(plays, reported, loaded, history):
    reported(unusual_ids=3)
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)

    result = plays("upload", str(history), "--wait", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["reconciled"] is True
    assert report["rows_in"] == 10
    assert report["uploads"][0]["result"]["first_played_at"] == "2026-07-01T00:00:00.000Z"
    assert report["uploads"][0]["result"]["unusual_ids"] == 3


def test_a_damaged_zip_in_a_folder_fails_after_the_other_files_are_loaded(
    plays, reported, loaded, history, tmp_path
):
    reported()
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)
    package = tmp_path / "package"
    package.mkdir()
    with ZipFile(package / "a.zip", "w") as archive:
        archive.writestr("endsong_0.json", "[]")
    (package / "damaged.zip").write_bytes(b"PK")

    result = plays("upload", str(package), "--wait", "--json")

    assert json.loads(result.stdout)["reconciled"] is True
    assert result.exit_code == 1
    assert "damaged.zip: not a readable zip" in result.stderr.splitlines()[-1]


@pytest.fixture
def waiting(database):
    """Return a function that counts outdated months; one month is outdated."""
    database.run("SELECT derived.refresh(1000)")
    Store(database).load([a_batch(a_play())])
    return lambda: database.run("SELECT months FROM derived.waiting(now())")[0][0]


@pytest.fixture
def complete(reported, loaded):
    """Insert a completely loaded upload."""
    reported()
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)


@pytest.mark.usefixtures("complete")
def test_upload_with_wait_refreshes_the_derived_tables(plays, history, waiting):
    assert waiting() == 1

    assert plays("upload", str(history), "--wait").exit_code == 0

    assert waiting() == 0


@pytest.mark.usefixtures("complete")
def test_an_upload_succeeds_even_if_the_refresh_fails(plays, target, history, waiting):
    def fail(_event, _context):
        raise DatabaseAwayError("no connection to Postgres")

    target.functions["derive"] = fail

    result = plays("upload", str(history), "--wait")

    assert (result.exit_code, waiting()) == (0, 1)
    line = (
        "the reports and the page follow within an hour: the function derive failed: no connection"
    )
    assert line in " ".join(result.stderr.split())


def test_an_upload_fails_if_rows_read_exceed_rows_accounted_for(plays, reported, loaded, history):
    reported(rows_in=11)
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)

    result = plays("upload", str(history), "--wait", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["reconciled"] is False
    assert "11 were read, 10 are accounted for" in result.stderr


def test_a_timeout_of_upload_names_the_queue_that_holds_messages(plays, target, history):
    url = target.outputs["EnrichedPlaysQueueUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="stuck")

    result = plays("upload", str(history), "--wait", "--timeout", "0")

    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"plays: {history} is not loaded after 0 s: ")
    assert "1 in enriched-plays" in last


def test_waiting_ends_before_the_timeout_at_dead_letters_and_empty_queues(target):
    waiting = Waiting(target, timeout_s=20, check_s=0)
    url = target.outputs["EnrichedPlaysDlqUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="dead")

    with pytest.raises(UnfinishedError) as raised:
        waiting.wait_for(lambda _: None, "a.zip")

    assert str(raised.value) == (
        "a.zip is not loaded: messages failed and are dead letters in enriched-plays-dlq: "
        "`plays dlq list` says why; fix the cause, then `plays dlq replay enriched-plays`"
    )


def test_waiting_continues_while_a_message_is_in_a_queue(target):
    waiting = Waiting(target, timeout_s=2, check_s=0)
    sqs = target.client("sqs")
    sqs.send_message(QueueUrl=target.outputs["EnrichedPlaysDlqUrl"], MessageBody="dead")
    sqs.send_message(QueueUrl=target.outputs["EnrichedPlaysQueueUrl"], MessageBody="alive")

    with pytest.raises(UnfinishedError, match="not loaded after 2 s: messages: 1 in enriched"):
        waiting.wait_for(lambda _: None, "a.zip")


def test_dead_letters_from_before_the_upload_do_not_end_the_waiting(target):
    url = target.outputs["EnrichedPlaysDlqUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="dead before")
    waiting = Waiting(target, timeout_s=2, check_s=0)

    with pytest.raises(UnfinishedError, match="not loaded after 2 s"):
        waiting.wait_for(lambda _: None, "a.zip")


@pytest.mark.usefixtures("complete")
def test_a_file_that_times_out_does_not_hide_another_files_report(plays, history, tmp_path):
    late = tmp_path / "late.zip"
    late.write_bytes(b"export")

    result = plays("upload", str(late), str(history), "--wait", "--json", "--timeout", "0")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert f"{late} is not loaded after 0 s" in result.stderr
    assert f"{history} is not loaded" not in result.stderr
    assert [upload["result"] is None for upload in report["uploads"]] == [True, False]
    assert (report["inserted"], report["reconciled"]) == (4, False)


def test_waiting_continues_while_postgres_is_unavailable(plays, target, reported, loaded, history):
    reported()
    loaded(UPLOAD, 0, inserted=7)
    # The first connection is the check before the upload; the second fails.
    target.faults = iter([None, DatabaseAwayError("restarting")])

    result = plays("upload", str(history), "--wait", "--json", "--timeout", "20")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["inserted"] == 7


def test_a_timeout_names_an_unavailable_postgres(plays, target, history):
    target.faults = iter([None, DatabaseAwayError("restarting")])

    result = plays("upload", str(history), "--wait", "--timeout", "0")

    assert result.exit_code == 1
    assert result.stderr.endswith("after 0 s: Postgres is unavailable: restarting\n")


def test_ctrl_c_while_waiting_says_that_loading_continues(plays, target, history):
    target.faults = iter([None, KeyboardInterrupt()])

    result = plays("upload", str(history), "--wait")

    assert result.exit_code == 130
    assert "plays: stopped: the files are stored and continue loading" in result.stderr


def test_waiting_lasts_until_the_last_batch_is_loaded(plays, reported, loaded, history):
    def load_later():
        time.sleep(0.3)
        reported()
        loaded(UPLOAD, 0, inserted=7)

    loader = threading.Thread(target=load_later)
    loader.start()

    result = plays("upload", str(history), "--wait", "--json", "--timeout", "20")

    loader.join()
    assert result.exit_code == 0
    assert json.loads(result.stdout)["inserted"] == 7


def test_a_poll_has_no_result_before_its_last_batch(reader, polled, loaded):
    loaded(POLL, 0, inserted=2)

    assert fetch_poll(reader, POLL, batches=2) is None


def test_a_loaded_poll_has_a_complete_result(reader, polled, loaded):
    loaded(POLL, 0, inserted=2)
    loaded(POLL, 1, inserted=0, duplicates=1)

    result = fetch_poll(reader, POLL, batches=2)

    assert (result.returned, result.new, result.late) == (50, 3, 1)
    assert (result.inserted, result.duplicates) == (2, 1)


def test_the_status_contains_row_counts_last_poll_and_gaps(plays, database, polled):
    database.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin) VALUES "
        "('me', '2026-07-01T01:00:00Z', '2026-07-01T02:00:00Z', 'full page', 'x')"
    )

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["verdict"]) == (1, "warning")
    assert list(found["rows"].items()) == [
        ("listening_history", 0),
        ("track_features", 0),
        ("poll", 1),
        ("gap", 1),
        ("loaded_batch", 0),
        ("import_report", 0),
    ]
    assert found["last_poll"] == {
        "listener": "me",
        "polled_at": "2026-07-01T12:00:00.500Z",
        "returned": 50,
        "new": 3,
    }
    assert found["gaps"] == [
        {
            "listener": "me",
            "started_at": "2026-07-01T01:00:00.000Z",
            "ended_at": "2026-07-01T02:00:00.000Z",
            "reason": "full page",
            "is_open": True,
        }
    ]
    assert found["open_gaps"] == 1
    assert found["aws_endpoint"] is None


@pytest.fixture
def status(plays):
    """Return the function that reads the status."""
    return lambda: json.loads(plays("status", "--json").stdout)


def test_the_status_dates_the_oldest_load_of_plays_whose_features_fail(status, target, database):
    assert status()["features_failing_since"] is None
    wait_for_features(target, 1, 0, NOON)
    wait_for_features(target, 2, 1, NOON)
    database.run(
        "INSERT INTO listening_history (track_uri, track_name, artist_name, played_at, ms_played, "
        "listener, source, loaded_at) SELECT 'spotify:track:' || lpad(track::text, 22, '0'), "
        "'Boats', 'The Example', played_at, 1, 'me', 'extended-history', loaded_at "
        "FROM (VALUES (1, timestamptz '2026-07-01', timestamptz '2026-07-03'), "
        "(1, '2026-07-02', '2026-07-02'), (2, '2026-07-01', '2026-07-01')) "
        "AS play (track, played_at, loaded_at)"
    )

    assert status()["features_failing_since"] == "2026-07-02T00:00:00.000Z"


@pytest.fixture
def gaps(database):
    """Insert gaps, given as hours before now, as the loader does."""

    def write(*hours, **sets):
        for start, end in hours:
            database.run(
                "INSERT INTO gap (listener, started_at, ended_at, reason, origin, closed_at, "
                "closed_until) SELECT 'me', now() - :start * interval '1 h', "
                "now() - :end * interval '1 h', 'no answer', 'x', "
                "CASE WHEN :closed THEN now() END, :closed_until::timestamptz",
                start=start,
                end=end,
                closed=sets.get("closed", False),
                closed_until=sets.get("closed_until"),
            )

    return write


def test_open_gaps_are_listed_before_newer_closed_gaps(status, gaps):
    gaps((900, 899), (901, 900))
    gaps(*((n + 1, n) for n in range(12)), closed=True)

    found = status()

    assert [gap["is_open"] for gap in found["gaps"]] == [True] * 2 + [False] * 10
    started = [gap["started_at"] for gap in found["gaps"]]
    assert started == sorted(started[:2], reverse=True) + sorted(started[2:], reverse=True)
    assert started[2] > started[0]
    assert (found["open_gaps"], found["rows"]["gap"]) == (2, 14)


def test_gaps_and_coverage_of_a_removed_listener_are_left_out(status, gaps, database):
    gaps((2, 1))
    database.run("UPDATE gap SET listener = 'anna'")
    gaps((4, 3))

    found = status()

    assert ([gap["listener"] for gap in found["gaps"]], found["open_gaps"]) == (["me"], 1)
    assert "anna" not in found["coverage"]


def test_at_most_1000_open_gaps_are_listed(status, database):
    database.run(
        "INSERT INTO gap (listener, started_at, reason, origin) SELECT 'me', "
        "now() - n * interval '1 h', 'no answer', 'x' FROM generate_series(1, 1001) AS n"
    )

    found = status()

    assert (len(found["gaps"]), found["open_gaps"]) == (1_000, 1_001)
    assert found["gaps"][0]["started_at"] > found["gaps"][-1]["started_at"]


@pytest.mark.parametrize(
    ("closed_until", "ended_at"),
    [(None, None), ("2026-07-01T02:00:00Z", "2026-07-01T02:00:00.000Z"), ("infinity", None)],
    ids=["still open", "closed", "closed without an end"],
)
def test_a_gap_stored_without_an_end_ends_where_it_was_closed(status, gaps, closed_until, ended_at):
    gaps((1, None), closed_until=closed_until)

    (gap,) = status()["gaps"]
    assert gap["ended_at"] == ended_at


def test_the_status_shows_only_the_uncovered_part_of_a_gap(status, gaps):
    covered_until = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    gaps((5, 1), closed_until=covered_until.isoformat())

    (gap,) = status()["gaps"]
    assert (gap["started_at"], gap["is_open"]) == (iso(covered_until), True)


@pytest.fixture
def polls(database):
    """Insert polls, given as hours before now."""

    def store(*hours_ago):
        for hours in hours_ago:
            database.run(
                "INSERT INTO poll VALUES (:origin, 'me', "
                "now() - make_interval(hours => :hours), 50, 3, 1, 0, 0)",
                origin=f"polls/me/{hours}", hours=hours,
            )  # fmt: skip

    return store


def test_coverage_is_the_share_of_7_and_30_days_outside_open_gaps(status, polls, gaps):
    polls(60 * 24, 0)
    gaps((24 * 40, 24 * 20))
    whole = status()["coverage"]["me"]
    gaps((24 * 3, 24 * 2))
    parted = status()["coverage"]["me"]

    assert whole["days_7"] == pytest.approx(1, abs=0.001)
    assert whole["days_30"] == pytest.approx(2 / 3, abs=0.03)
    assert parted["days_7"] == pytest.approx(5.5 / 6.5, abs=0.02)


def test_coverage_is_shown_for_each_of_seven_days(status, polls, gaps):
    polls(60 * 24, 0)
    gaps((24 * 3, 24 * 2))

    found = status()["coverage"]["me"]["by_day"]

    today = datetime.now(UTC).date()
    assert [each["day"] for each in found] == [
        str(today - timedelta(days=n)) for n in range(6, -1, -1)
    ]
    missed = [each["open_gap_s"] for each in found]
    assert sum(missed) == sum(missed[3:5]) == pytest.approx(DAY_S)
    assert [each["coverage"] for each in found[:-1]] == [
        pytest.approx(1 - seconds / DAY_S) for seconds in missed[:-1]
    ]


def test_coverage_of_a_new_listener_starts_at_the_first_poll(status, polls):
    polls(48, 0)

    shares = status()["coverage"]["me"]
    assert shares["days_7"] == shares["days_30"]
    assert 48 / 72 <= shares["days_7"] <= 1


def test_plays_uploads_lists_an_upload_while_it_loads_and_once_it_is_done(plays, reported, loaded):
    problem = {"file": "endsong_1.json", "reason": "truncated"}
    reported(batches=2, problems=[problem])
    loaded(UPLOAD, 0, inserted=4)
    loaded("polls/me/x.json.gz", 0, inserted=1)

    (loading,) = json.loads(plays("uploads", "--json").stdout)["uploads"]
    loaded(UPLOAD, 1, inserted=2, duplicates=1)
    (done,) = json.loads(plays("uploads", "--json").stdout)["uploads"]
    report = plays("uploads", "show", "1")
    document = json.loads(plays("uploads", "show", "1", "--json").stdout)

    assert (loading["state"], loading["plays_loaded"], loading["plays"]) == ("loading", 4, 7)
    assert (done["state"], done["plays_loaded"]) == ("partly loaded", 7)
    assert done["reasons"][0] == "endsong_1.json: truncated"
    assert report.stdout.startswith("upload 1: a.zip of me, ")
    assert "not read: endsong_1.json: truncated" in report.stdout
    assert (document["rows_in"], document["duplicates"], document["reconciled"]) == (10, 1, True)
