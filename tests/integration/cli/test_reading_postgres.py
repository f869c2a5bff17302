import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from cli.upload_results import fetch_import, fetch_poll, fetch_progress
from cli.waiting import UnfinishedError, Waiting
from services.loader.store import Store
from shared.errors import DatabaseAwayError
from shared.models import iso
from tests.unit.loader.loader_examples import a_batch, a_play

DAY_S = 86_400
UPLOAD = "history/me/a.zip"
POLL = "polls/me/2026/07/01/x.json.gz"


@pytest.fixture
def reported(database):
    """Write down the report of an upload, as the loader does."""

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
    """Write an export of me, who is deployed."""
    target.client("secretsmanager").create_secret(Name="spotify-pipeline/listener/me")
    path = tmp_path / "a.zip"
    path.write_bytes(b"export")
    return path


def test_an_import_has_no_result_before_its_last_batch(reader, reported, loaded):
    reported(batches=2)
    loaded(UPLOAD, 0, inserted=4)

    assert fetch_import(reader, UPLOAD) is None
    assert fetch_progress(reader, UPLOAD) == (4, 7)


def test_before_its_report_the_progress_of_an_import_has_no_end(reader, loaded):
    loaded(UPLOAD, 0, inserted=4)

    assert fetch_progress(reader, UPLOAD) == (4, None)


def test_an_import_is_told_whole_once_all_is_loaded(reader, reported, loaded):
    reported(batches=2, problems=[{"file": "endsong_1.json", "reason": "truncated"}])
    loaded(UPLOAD, 0, inserted=4)
    loaded(UPLOAD, 1, inserted=0, upgraded=1, duplicates=2)

    result = fetch_import(reader, UPLOAD)

    assert (result.inserted, result.upgraded, result.duplicates) == (4, 1, 2)
    assert (result.skipped, result.quarantined) == ({"podcast": 2}, {"no time": 1})
    assert result.problems[0].reason == "truncated"
    assert result.files == ("endsong_0.json",)
    assert result.is_reconciled


def test_an_upload_waited_for_prints_the_reconciled_report(plays, reported, loaded, history):
    reported(unusual_ids=3)
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)

    result = plays("upload", str(history), "--wait", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["reconciled"] is True
    assert report["rows_in"] == 10
    assert report["uploads"][0]["result"]["first_played_at"] == "2026-07-01T00:00:00.000Z"
    assert report["uploads"][0]["result"]["unusual_ids"] == 3


@pytest.fixture
def waiting(database):
    """Count the months that wait for a refresh, of a history of which one does."""
    database.run("SELECT derived.refresh(1000)")
    Store(database).load([a_batch(a_play())])
    return lambda: database.run("SELECT months FROM derived.waiting(now())")[0][0]


@pytest.fixture
def complete(reported, loaded):
    """Write down an upload as loaded whole."""
    reported()
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)


@pytest.mark.usefixtures("complete")
def test_an_upload_waited_for_is_in_the_reports(plays, history, waiting):
    assert waiting() == 1

    assert plays("upload", str(history), "--wait").exit_code == 0

    assert waiting() == 0


@pytest.mark.usefixtures("complete")
def test_an_upload_is_no_failure_where_the_reports_follow_later(plays, target, history, waiting):
    def fail(_event, _context):
        raise DatabaseAwayError("no connection to Postgres")

    target.functions["derive"] = fail

    result = plays("upload", str(history), "--wait")

    assert (result.exit_code, waiting()) == (0, 1)
    assert (
        "reports and page follow within an hour: the derive failed: no connection to Postgres"
        in " ".join(result.stderr.split())
    )


def test_an_upload_whose_rows_do_not_add_up_fails(plays, reported, loaded, history):
    reported(rows_in=11)
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)

    result = plays("upload", str(history), "--wait", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["reconciled"] is False
    assert "11 were read, 10 are accounted for" in result.stderr


def test_waiting_too_long_tells_where_the_messages_are(plays, target, history):
    url = target.outputs["EnrichedPlaysQueueUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="stuck")

    result = plays("upload", str(history), "--wait", "--timeout", "0")

    assert result.exit_code == 1
    last = result.stderr.splitlines()[-1]
    assert last.startswith(f"plays: {history} is not loaded after 0 s: ")
    assert "1 in enriched-plays" in last


@pytest.fixture
def fast_looks(target):
    """Wait for an upload on a target, with the queues looked at all the time."""
    return Waiting(target, timeout_s=20, look_s=0)


def test_waiting_ends_early_where_messages_died_and_none_is_on_its_way(target, fast_looks):
    url = target.outputs["EnrichedPlaysDlqUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="dead")

    with pytest.raises(UnfinishedError) as raised:
        fast_looks.wait_for(lambda _: None, "a.zip")

    assert str(raised.value) == (
        "a.zip is not loaded: messages died and lie in enriched-plays-dlq: "
        "once the cause is mended, `plays dlq replay enriched-plays`"
    )


def test_waiting_goes_on_while_something_is_on_its_way(target):
    waiting = Waiting(target, timeout_s=2, look_s=0)
    sqs = target.client("sqs")
    sqs.send_message(QueueUrl=target.outputs["EnrichedPlaysDlqUrl"], MessageBody="dead")
    sqs.send_message(QueueUrl=target.outputs["EnrichedPlaysQueueUrl"], MessageBody="alive")

    with pytest.raises(UnfinishedError, match="not loaded after 2 s: messages: 1 in enriched"):
        waiting.wait_for(lambda _: None, "a.zip")


def test_dead_letters_of_before_do_not_end_the_waiting(target):
    url = target.outputs["EnrichedPlaysDlqUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="dead before")
    waiting = Waiting(target, timeout_s=2, look_s=0)

    with pytest.raises(UnfinishedError, match="not loaded after 2 s"):
        waiting.wait_for(lambda _: None, "a.zip")


def test_a_file_that_is_not_loaded_in_time_hides_no_other_files_result(
    plays, reported, loaded, history, tmp_path
):
    late = tmp_path / "late.zip"
    late.write_bytes(b"export")
    reported()
    loaded(UPLOAD, 0, inserted=4, upgraded=1, duplicates=2)

    result = plays("upload", str(late), str(history), "--wait", "--json", "--timeout", "0")

    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert f"{late} is not loaded after 0 s" in result.stderr
    assert f"{history} is not loaded" not in result.stderr
    assert [upload["result"] is None for upload in report["uploads"]] == [True, False]
    assert (report["inserted"], report["reconciled"]) == (4, False)


def test_waiting_outlives_a_postgres_that_is_away(plays, target, reported, loaded, history):
    reported()
    loaded(UPLOAD, 0, inserted=7)
    # The first connection proves before the upload that there is a Postgres; the second breaks.
    target.faults = iter([None, DatabaseAwayError("restarting")])

    result = plays("upload", str(history), "--wait", "--json", "--timeout", "20")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["inserted"] == 7


def test_waiting_too_long_for_postgres_says_so(plays, target, history):
    target.faults = iter([None, DatabaseAwayError("restarting")])

    result = plays("upload", str(history), "--wait", "--timeout", "0")

    assert result.exit_code == 1
    assert result.stderr.endswith("after 0 s: Postgres cannot be read: restarting\n")


def test_ctrl_c_while_waiting_says_that_the_files_go_on_loading(plays, target, history):
    target.faults = iter([None, KeyboardInterrupt()])

    result = plays("upload", str(history), "--wait")

    assert result.exit_code == 130
    assert "plays: stopped: the files are stored and go on loading" in result.stderr


def test_waiting_goes_on_until_the_last_batch_is_loaded(plays, reported, loaded, history):
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


def test_a_poll_has_no_result_before_every_batch_is_loaded(reader, polled, loaded):
    loaded(POLL, 0, inserted=2)

    assert fetch_poll(reader, POLL, batches=2) is None


def test_a_poll_is_told_with_what_became_of_its_plays(reader, polled, loaded):
    loaded(POLL, 0, inserted=2)
    loaded(POLL, 1, inserted=0, duplicates=1)

    result = fetch_poll(reader, POLL, batches=2)

    assert (result.returned, result.new, result.late) == (50, 3, 1)
    assert (result.inserted, result.duplicates) == (2, 1)


def test_the_status_counts_rows_and_tells_the_last_poll_and_gaps(plays, database, polled):
    database.run(
        "INSERT INTO gap (listener, started_at, ended_at, reason, origin) VALUES "
        "('me', '2026-07-01T01:00:00Z', '2026-07-01T02:00:00Z', 'full page', 'x')"
    )

    result = plays("status", "--json")

    found = json.loads(result.stdout)
    assert result.exit_code == 0
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
def gaps(database):
    """Write down gaps, as the loader does: the hours before now, of plays that are missing."""

    def write(*hours, **told):
        for start, end in hours:
            database.run(
                "INSERT INTO gap (listener, started_at, ended_at, reason, origin, closed_at, "
                "closed_until) SELECT 'me', now() - :start * interval '1 h', "
                "now() - :end * interval '1 h', 'no answer', 'x', "
                "CASE WHEN :closed THEN now() END, :closed_until::timestamptz",
                start=start,
                end=end,
                closed=told.get("closed", False),
                closed_until=told.get("closed_until"),
            )

    return write


def test_open_gaps_are_told_before_newer_ones_that_are_closed(plays, gaps):
    gaps((900, 899), (901, 900))
    gaps(*((n + 1, n) for n in range(12)), closed=True)

    found = json.loads(plays("status", "--json").stdout)

    assert [gap["is_open"] for gap in found["gaps"]] == [True] * 2 + [False] * 10
    started = [gap["started_at"] for gap in found["gaps"]]
    assert started == sorted(started[:2], reverse=True) + sorted(started[2:], reverse=True)
    assert started[2] > started[0]
    assert (found["open_gaps"], found["rows"]["gap"]) == (2, 14)


def test_all_open_gaps_are_told(plays, gaps):
    gaps(*((n + 1, n) for n in range(25)))

    found = json.loads(plays("status", "--json").stdout)

    assert len(found["gaps"]) == found["open_gaps"] == 25


def test_of_very_many_open_gaps_the_newest_are_told(plays, database):
    database.run(
        "INSERT INTO gap (listener, started_at, reason, origin) SELECT 'me', "
        "now() - n * interval '1 h', 'no answer', 'x' FROM generate_series(1, 1001) AS n"
    )

    found = json.loads(plays("status", "--json").stdout)

    assert (len(found["gaps"]), found["open_gaps"]) == (1_000, 1_001)
    assert found["gaps"][0]["started_at"] > found["gaps"][-1]["started_at"]


@pytest.mark.parametrize(
    ("closed_until", "ended_at"),
    [(None, None), ("2026-07-01T02:00:00Z", "2026-07-01T02:00:00.000Z"), ("infinity", None)],
    ids=["goes on", "closed", "closed without an end"],
)
def test_a_gap_without_an_end_ends_where_it_was_closed(plays, gaps, closed_until, ended_at):
    gaps((1, None), closed_until=closed_until)

    (gap,) = json.loads(plays("status", "--json").stdout)["gaps"]
    assert gap["ended_at"] == ended_at


def test_what_an_upload_covers_of_a_gap_is_no_part_of_it(plays, gaps):
    covered_until = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    gaps((5, 1), closed_until=covered_until.isoformat())

    (gap,) = json.loads(plays("status", "--json").stdout)["gaps"]
    assert (gap["started_at"], gap["is_open"]) == (iso(covered_until), True)


@pytest.fixture
def polls(database):
    """Store polls of so many hours ago."""

    def store(*hours_ago):
        for hours in hours_ago:
            database.run(
                "INSERT INTO poll VALUES (:origin, 'me', "
                "now() - make_interval(hours => :hours), 50, 3, 1, 0, 0)",
                origin=f"polls/me/{hours}", hours=hours,
            )  # fmt: skip

    return store


def test_coverage_is_told_of_the_last_7_and_30_days(plays, polls, gaps):
    polls(60 * 24, 0)
    gaps((24 * 40, 24 * 20))
    whole = json.loads(plays("status", "--json").stdout)["coverage"]["me"]
    gaps((24 * 3, 24 * 2))
    parted = json.loads(plays("status", "--json").stdout)["coverage"]["me"]

    assert whole["days_7"] == pytest.approx(1, abs=0.001)
    assert whole["days_30"] == pytest.approx(2 / 3, abs=0.03)
    assert parted["days_7"] == pytest.approx(5.5 / 6.5, abs=0.02)


def test_coverage_is_told_day_by_day(plays, polls, gaps):
    polls(60 * 24, 0)
    gaps((24 * 3, 24 * 2))

    found = json.loads(plays("status", "--json").stdout)["coverage"]["me"]["by_day"]

    today = datetime.now(UTC).date()
    assert [each["day"] for each in found] == [
        str(today - timedelta(days=n)) for n in range(6, -1, -1)
    ]
    missed = [each["open_gap_s"] for each in found]
    assert sum(missed) == sum(missed[3:5]) == pytest.approx(DAY_S)
    assert [each["coverage"] for each in found[:-1]] == [
        pytest.approx(1 - seconds / DAY_S) for seconds in missed[:-1]
    ]


def test_of_a_new_listener_the_days_since_the_first_poll_are_told(plays, polls):
    polls(24, 0)

    found = json.loads(plays("status", "--json").stdout)["coverage"]["me"]["by_day"]

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert [each["day"] for each in found] == [str(yesterday), str(yesterday + timedelta(days=1))]
    assert found[0]["coverage"] < 1


def test_days_after_the_last_poll_are_not_covered(plays, polls):
    polls(60 * 24, 30 * 24)

    assert json.loads(plays("status", "--json").stdout)["coverage"]["me"]["days_7"] == 0


def test_of_a_new_listener_the_time_since_the_first_poll_is_covered(plays, polls):
    polls(48, 0)

    shares = json.loads(plays("status", "--json").stdout)["coverage"]["me"]
    assert shares["days_7"] == shares["days_30"]
    assert 48 / 72 <= shares["days_7"] <= 1
