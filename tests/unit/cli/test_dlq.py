import gzip
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli.main import app
from cli.queues import depth
from tests.unit.cli.cloud_state import a_cloud_state
from tests.unit.cli.conftest import BUCKET, KnownTarget
from tests.unit.cli.letters import BATCH, FAILED_POLL, UPLOAD

COLLECTED, COLLECTED_DLQ = (
    "spotify-pipeline-collected-plays",
    "spotify-pipeline-collected-plays-dlq",
)


class LocalTarget(KnownTarget):
    """A local cloud, whose collector answers; `polled` are the listeners that it polled."""

    polled: list[str]

    def call(self, name, event):
        assert name == "Collector"
        self.polled.append(event["listener"])


@pytest.fixture
def aws_target(target):
    return target


@pytest.fixture
def local(target):
    local = LocalTarget("local", target.stack, target.session, a_cloud_state())
    object.__setattr__(local, "polled", [])
    return local


@dataclass
class Queue:
    """One queue in moto."""

    sqs: Any
    url: str

    def send(self, *bodies):
        """Send messages, JSON for what is no text; return their ids."""
        texts = (body if isinstance(body, str) else json.dumps(body) for body in bodies)
        return [
            self.sqs.send_message(QueueUrl=self.url, MessageBody=text)["MessageId"]
            for text in texts
        ]

    def messages(self):
        """Return the messages in view by their bodies; they stay in view."""
        received = self.sqs.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            VisibilityTimeout=0,
        )
        return {message["Body"]: message for message in received.get("Messages", [])}

    def ids(self):
        return [message["MessageId"] for message in self.messages().values()]

    def hide(self, count, seconds=60):
        """Receive messages as another reader."""
        self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=count, VisibilityTimeout=seconds
        )

    @property
    def counts(self):
        """The numbers of messages in view, and out of view."""
        counted = depth(self.sqs, self.url)
        return counted.visible, counted.in_flight


class Dlq:
    """`plays dlq` on the local cloud."""

    def __init__(self, local):
        self.local = local

    def __call__(self, *arguments):
        # Wide enough that no cell of a table is folded.
        wide = {"COLUMNS": "250"}
        return CliRunner().invoke(app, ["dlq", *arguments], obj=lambda: self.local, env=wide)

    def json(self, *arguments):
        result = self(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)


@pytest.fixture
def dlq(local):
    return Dlq(local)


@pytest.fixture
def source(target):
    return Queue(target.client("sqs"), target.output("CollectedPlaysQueueUrl"))


@pytest.fixture
def dead(target):
    return Queue(target.client("sqs"), target.output("CollectedPlaysDlqUrl"))


@pytest.fixture
def failed_polls(target):
    return Queue(target.client("sqs"), target.output("FailedTicksQueueUrl"))


@pytest.fixture
def write_log(aws):
    """Write lines into the log of the enricher, as one invocation."""
    group = {"logGroupName": "/spotify-pipeline/enricher"}
    stream = {**group, "logStreamName": "1"}
    aws.client("logs").create_log_group(**group)
    aws.client("logs").create_log_stream(**stream)

    def write(*lines):
        at = int(datetime.now(UTC).timestamp() * 1_000)
        texts = (json.dumps({"level": "ERROR", "function_request_id": "r1", **x}) for x in lines)
        events = [{"timestamp": at, "message": text} for text in texts]
        aws.client("logs").put_log_events(**stream, logEvents=events)

    return write


@pytest.fixture
def editor(monkeypatch, tmp_path):
    """Set $EDITOR to a program that replaces text in the file; a second call does so again."""

    def set_editor(*changes):
        script = tmp_path / "editor.py"
        script.write_text(
            "import pathlib, sys, os\n"
            "file = pathlib.Path(sys.argv[1]); text = file.read_text()\n"
            f"for old, new in {changes!r}: text = text.replace(old, new)\n"
            "file.write_text(text)\n"
            # An editor whose file is as old as before was left without saving.
            "os.utime(file, (0, 0) if text != 'same' else None)\n"
        )
        monkeypatch.setenv("EDITOR", f"python3 {script}")

    return set_editor


def archived(target):
    s3 = target.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix="dead-letters/").get("Contents", [])
    return {
        each["Key"]: json.loads(s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read())
        for each in found
    }


def crash_at(target, operation, *, call=1):
    """Press Ctrl-C before a call of AWS."""
    left = iter([*[lambda: None] * (call - 1), interrupt])
    target.session.events.register(
        f"before-call.{operation}", lambda **_: next(left, lambda: None)()
    )


def interrupt():
    raise KeyboardInterrupt


# Reading


def test_list_groups_the_dead_letters_of_every_queue(dlq, dead, failed_polls):
    dead.send(BATCH, BATCH, "poison")
    failed_polls.send(FAILED_POLL)

    listed = dlq.json("list")

    assert listed["total"] == 3
    assert [(each["queue"], each["dead_letter_queue"]) for each in listed["queues"]] == [
        (COLLECTED, COLLECTED_DLQ),
        (None, "spotify-pipeline-failed-ticks"),
    ]
    groups = [group for queue in listed["queues"] for group in queue["groups"]]
    assert [(g["queue"], g["listener"], g["reason"], g["count"]) for g in groups] == [
        ("collected-plays", "anna", None, 2),
        ("collected-plays", None, None, 1),
        ("failed-ticks", "me", "SpotifyError: no answer", 1),
    ]
    shown = dlq("list").stdout
    assert "SpotifyError: no answer" in shown
    assert "unknown: no line of the log names it" in shown


def test_list_counts_the_dead_letters_that_another_reader_holds(dlq, dead):
    dead.send("one", "two")
    dead.hide(1, 60)

    result = dlq("list")

    assert result.exit_code == 0
    assert f"1 dead letter of {COLLECTED_DLQ} cannot be read now" in result.stdout


def test_list_says_that_there_are_no_dead_letters(dlq):
    assert dlq("list").stdout == "0 dead letters\n"


def test_peek_shows_body_reason_and_log(dlq, dead, write_log):
    (message_id,) = dead.send(BATCH)
    write_log(
        {"level": "INFO", "message": "messages received", "message_ids": [message_id, "other"]},
        {"message": "batch cannot be published", "id": message_id, "error": "no queue"},
        {"message": "batch cannot be published", "id": "other", "error": "other"},
    )

    (letter,) = dlq.json("peek", "collected-plays")["letters"]
    shown = dlq("peek").stdout

    assert (letter["id"], letter["body"]) == (message_id, BATCH)
    assert letter["reason"] == "batch cannot be published: no queue"
    assert [line["message"] for line in letter["log"]] == ["batch cannot be published"]
    for words in (message_id, "polls/anna/a.json.gz", "no queue", "Knights of Cydonia"):
        assert words in shown


def test_the_list_command_groups_messages_by_the_reason_in_the_log(dlq, dead, write_log):
    ids = dead.send(BATCH, BATCH)
    write_log(
        {"level": "INFO", "message": "messages received", "message_ids": ids},
        {"message": "tracks cannot be looked up", "error": "away"},
    )

    (group,) = dlq.json("list")["queues"][0]["groups"]

    assert (group["reason"], group["count"]) == ("tracks cannot be looked up: away", 2)


def test_peek_truncates_a_long_body_and_shows_its_length(dlq, dead):
    dead.send("x" * 5_000)

    shown = dlq("peek").stdout

    assert shown.count("x") < 2_100
    assert "… (5,002 characters)" in shown


@pytest.mark.parametrize(
    "command",
    [["list"], ["peek", "--most", "1"], ["replay", "--dry-run"], ["save", "{folder}/out.jsonl"]],
    ids=" ".join,
)
def test_reading_commands_make_every_dead_letter_visible_again_at_once(
    dlq, dead, tmp_path, command
):
    dead.send(*map(str, range(12)))

    result = dlq(*(word.format(folder=tmp_path) for word in command))

    assert result.exit_code == 0
    assert dead.counts == (12, 0)


@pytest.mark.parametrize(
    "command", [["list"], ["peek", "--most", "12"], ["replay", "--dry-run"]], ids=" ".join
)
def test_ctrl_c_while_reading_makes_every_dead_letter_visible_again(dlq, local, dead, command):
    dead.send(*map(str, range(12)))
    crash_at(local, "sqs.ReceiveMessage", call=2)

    result = dlq(*command)

    assert result.exit_code == 130
    assert (
        "are still dead letters; those that are hidden can be read again within 300 s"
        in result.stderr
    )
    assert dead.counts == (12, 0)


# Replaying


def test_replay_sends_every_dead_letter_back_with_its_attributes(dlq, source, dead):
    dead.send("one", "two")
    attributes = {"trace": {"DataType": "String", "StringValue": "abc"}}
    dead.sqs.send_message(QueueUrl=dead.url, MessageBody="three", MessageAttributes=attributes)

    result = dlq.json("replay", "collected-plays")

    assert (result["replayed"], result["remaining"]) == (3, 0)
    back = source.messages()
    assert set(back) == {"one", "two", "three"}
    assert back["three"]["MessageAttributes"] == attributes


@pytest.mark.parametrize("count", [0, 23], ids=["none", "more than one receive returns"])
def test_replay_sends_all_dead_letters(dlq, source, dead, count):
    dead.send(*map(str, range(count)))

    result = dlq("replay", "collected-plays-dlq")

    assert result.exit_code == 0
    assert result.stdout == f"{count} dead letters sent back\n"
    assert source.counts == (count, 0)


def test_replay_sends_messages_that_were_in_flight_at_its_start(dlq, source, dead):
    dead.send("one", "two")
    dead.hide(10, 1)

    assert dlq.json("replay", "collected-plays")["replayed"] == 2
    assert set(source.messages()) == {"one", "two"}


def test_replay_fails_if_another_reader_holds_all_messages(dlq, dead):
    dead.send("one", "two")
    dead.hide(10, 60)

    result = dlq("replay", "collected-plays", "--json")

    assert result.exit_code == 1
    assert "none of the 2 dead letters is available" in result.stderr
    assert json.loads(result.stdout)["remaining"] == 2


def test_replay_does_not_send_dead_letters_that_arrive_later(dlq, local, source, dead):
    # More than one receive returns, so that the late one is there at the second.
    dead.send(*map(str, range(11)))
    late = iter([lambda: dead.send("late")])
    local.session.events.register(
        "after-call.sqs.DeleteMessage", lambda **_: next(late, lambda: None)()
    )

    result = dlq.json("replay", "collected-plays")

    assert (result["replayed"], result["remaining"]) == (11, 1)
    assert source.counts == (11, 0)


def test_replay_sends_only_what_matches_the_filter(dlq, source, dead):
    ben = BATCH | {"listener": "ben", "origin": "history/ben/a.zip?versionId=1"}
    first, _, third = dead.send(BATCH, ben, "poison")

    assert dlq.json("replay", "--listener", "ben")["replayed"] == 1
    assert dlq.json("replay", "--origin", "history/")["replayed"] == 0
    assert dlq.json("replay", "--older-than", "1h")["replayed"] == 0
    assert dlq.json("replay", "--id", third[:8], "--newer-than", "1h")["replayed"] == 1
    assert set(source.messages()) == {json.dumps(ben), "poison"}
    assert dead.ids() == [first]


def test_replay_can_filter_by_the_reason_in_the_log(dlq, source, dead, write_log):
    first, second = dead.send("one", "two")
    write_log(
        {"message": "message does not fit its model", "id": first, "faults": ["all: no"]},
        {"message": "batch cannot be published", "id": second, "error": "no queue"},
    )

    assert dlq.json("replay", "--reason", "PUBLISHED: no")["replayed"] == 1
    assert set(source.messages()) == {"two"}


def test_replay_sends_at_most_the_given_number(dlq, source, dead):
    dead.send(*map(str, range(12)))

    result = dlq.json("replay", "--most", "11")

    assert (result["replayed"], result["remaining"]) == (11, 1)
    assert (source.counts, dead.counts) == ((11, 0), (1, 0))


def test_a_dry_run_of_replay_shows_the_messages_and_sends_none(dlq, source, dead):
    dead.send(BATCH, "poison")

    found = dlq.json("replay", "--listener", "anna", "--dry-run")

    assert (found["replayed"], found["remaining"]) == (0, 2)
    assert [group["count"] for group in found["groups"]] == [1]
    assert "anna" in dlq("replay", "--dry-run").stdout
    assert (source.counts, dead.counts) == ((0, 0), (2, 0))


def test_replay_sends_no_faster_than_option_rate_allows(dlq, dead, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr("cli.dead_letter_replay.time.sleep", pauses.append)
    dead.send("one", "two")

    dlq.json("replay", "--rate", "4")

    assert pauses == [0.25, 0.25]


def test_replay_fails_if_no_dead_letter_has_the_given_id(dlq, dead):
    dead.send("one")

    result = dlq("replay", "--id", "nope")

    assert result.exit_code == 1
    assert "no dead letter nope is available" in result.stderr
    assert dead.counts == (1, 0)


def test_a_replay_of_failed_polls_polls_each_listener_once(dlq, local, failed_polls):
    anna = FAILED_POLL | {"requestPayload": {"listener": "anna"}}
    failed_polls.send(FAILED_POLL, anna, FAILED_POLL)

    result = dlq.json("replay", "failed-ticks")

    assert (result["replayed"], result["remaining"]) == (3, 0)
    assert sorted(local.polled) == ["anna", "me"]


def test_a_failed_poll_stays_in_its_queue_if_it_fails_again(plays, failed_polls):
    failed_polls.send(FAILED_POLL)

    result = plays("dlq", "replay", "failed-ticks")

    assert result.exit_code == 1
    assert "the collector does not run here" in result.stderr
    assert failed_polls.counts == (1, 0)


@pytest.mark.parametrize(("operation", "sent"), [("DeleteMessage", 1), ("SendMessage", 0)])
def test_replay_deletes_a_dead_letter_only_after_it_was_sent(dlq, source, dead, operation, sent):
    dead.send("one")
    dlq.local.session.events.register(f"before-call.sqs.{operation}", refuse)

    result = dlq("replay")

    assert result.exit_code == 1
    assert source.counts == (sent, 0)
    assert dead.counts == (1, 0)


def test_a_crash_between_send_and_delete_doubles_a_message_and_loses_none(dlq, local, source, dead):
    dead.send("one", "two", "three")
    crash_at(local, "sqs.DeleteMessage", call=2)

    result = dlq("replay")

    assert result.exit_code == 130
    assert (source.counts, dead.counts) == ((2, 0), (2, 0))
    assert dlq.json("replay")["replayed"] == 2
    assert set(source.messages()) == {"one", "two", "three"}
    assert dead.counts == (0, 0)


def test_two_replays_at_once_lose_no_message(dlq, local, source, dead):
    dead.send(*map(str, range(25)))
    others = [dlq]

    def replay_meanwhile(**_):
        if others:
            others.pop().json("replay")

    local.session.events.register("before-call.sqs.SendMessage", replay_meanwhile)

    first = dlq.json("replay")["replayed"]

    assert first == 10
    assert (source.counts, dead.counts) == ((25, 0), (0, 0))


def test_on_aws_replay_lets_sqs_move_all_messages_of_a_queue(aws_target, plays, dead, failed_polls):
    dead.send("one", "two")
    asked = answer_moves(
        aws_target,
        {"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 1},
        {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 2},
    )

    result = plays("dlq", "replay", "--json")

    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["replayed"] == 2
    ((operation, body),) = asked
    assert operation == "StartMessageMoveTask"
    assert [arn.rpartition(":")[2] for arn in body.values()] == [COLLECTED_DLQ, COLLECTED]


def test_replay_fails_with_the_reason_why_sqs_stopped_moving_messages(aws_target, plays, dead):
    dead.send("one")
    failed = {"Status": "FAILED", "ApproximateNumberOfMessagesMoved": 0}
    answer_moves(aws_target, failed | {"FailureReason": "AWS.SimpleQueueService.AccessDenied"})

    result = plays("dlq", "replay", "collected-plays")

    assert result.exit_code == 1
    assert "SQS stopped moving the messages of collected-plays after 0: AWS.Simple" in result.stderr


def test_after_ctrl_c_replay_says_that_sqs_goes_on_moving_messages(aws_target, plays, dead):
    dead.send("one")
    answer_moves(aws_target)
    crash_at(aws_target, "sqs.ListMessageMoveTasks")

    result = plays("dlq", "replay")

    assert (result.exit_code, "SQS goes on moving" in result.stderr) == (130, True)


@pytest.mark.parametrize("option", [["--rate", "100"], ["--listener", "anna"]], ids=" ".join)
def test_on_aws_replay_with_a_filter_or_rate_sends_the_messages_itself(plays, source, dead, option):
    dead.send(BATCH)

    result = plays("dlq", "replay", *option, "--json")

    assert result.exit_code == 0, result.stderr
    assert source.counts == (1, 0)


# Editing


def test_edit_sends_the_changed_body_back(dlq, source, dead, editor):
    wrong, other = dead.send(BATCH | {"source": "wrong"}, "other")
    editor(("wrong", "recently-played"))

    result = dlq.json("edit", wrong[:12])

    assert (result["replayed"], result["remaining"]) == (1, 1)
    (body,) = source.messages()
    assert json.loads(body) == BATCH
    assert dead.ids() == [other]


@pytest.mark.parametrize(
    "change", [("recently-played", "wrong"), ('"source"', "")], ids=["source: ", "Invalid JSON"]
)
def test_edit_refuses_an_invalid_body_and_keeps_the_dead_letter(dlq, source, dead, editor, change):
    (message_id,) = dead.send(BATCH)
    editor(change)

    result = dlq("edit", message_id)

    assert result.exit_code == 1
    assert "the body was not sent, because it is invalid: " in result.stderr
    assert list(dead.messages()) == [json.dumps(BATCH)]
    assert source.counts == (0, 0)


def test_edit_lets_the_person_correct_an_invalid_body(dlq, source, dead, editor, at_terminal):
    (message_id,) = dead.send(BATCH | {"source": "one"})
    # The first call makes it "two", which is as wrong as before.
    editor(("two", "recently-played"), ("one", "two"))
    at_terminal("y")

    result = dlq("edit", message_id)

    assert result.exit_code == 0, result.stderr
    assert "This body would fail again: source: " in result.stderr
    assert [json.loads(body) for body in source.messages()] == [BATCH]


def test_edit_does_not_send_an_unchanged_body(dlq, source, dead, monkeypatch):
    (message_id,) = dead.send(BATCH)
    monkeypatch.setenv("EDITOR", "true")

    result = dlq("edit", message_id)

    assert result.stdout == f"{message_id} was not changed, so it is not sent\n"
    assert (source.counts, dead.counts) == ((0, 0), (1, 0))


def test_edit_refuses_an_ambiguous_id_and_a_failed_poll(dlq, dead, failed_polls):
    dead.send(BATCH, BATCH)
    (poll,) = failed_polls.send(FAILED_POLL)

    assert "3 ids begin with : type more of the id" in dlq("edit", "").stderr
    assert "a failed poll has nothing to edit" in dlq("edit", poll).stderr


def test_a_message_that_was_replayed_during_an_edit_is_not_sent_again(
    dlq, source, dead, editor, monkeypatch
):
    (message_id,) = dead.send(BATCH)
    monkeypatch.setattr("cli.dead_letter_editor.click.edit", lambda *_, **__: replay_meanwhile())

    def replay_meanwhile():
        dlq.json("replay")
        return json.dumps(BATCH | {"number": 7})

    result = dlq("edit", message_id)

    assert result.exit_code == 1
    assert "it was replayed or purged" in result.stderr
    assert list(source.messages()) == [json.dumps(BATCH)]


def test_edit_refuses_an_upload_event_that_the_backfill_would_refuse(dlq, target, local, editor):
    sqs = local.client("sqs")
    for name in ("UploadedFilesQueueUrl", "UploadedFilesDlqUrl"):
        local.outputs[name] = sqs.create_queue(QueueName=name)["QueueUrl"]
    (message_id,) = Queue(sqs, local.outputs["UploadedFilesDlqUrl"]).send(UPLOAD)
    editor(("history/ben", "polls/ben"))

    result = dlq("edit", message_id)

    assert "not an event of an upload: detail.object.key" in result.stderr


# Saving and purging


def test_replay_sends_dead_letters_from_a_file_that_save_wrote(dlq, source, dead, tmp_path):
    dead.send(BATCH, "poison")
    file = str(tmp_path / "letters.jsonl")

    saved = dlq.json("save", file)
    dlq.json("purge", "--yes")
    dry = dlq.json("replay", "--from", file, "--dry-run")
    sent = dlq.json("replay", "--from", file, "--listener", "anna")

    assert (saved["place"], saved["kept"]) == (file, 2)
    assert (dry["replayed"], sum(group["count"] for group in dry["groups"])) == (0, 2)
    assert sent["replayed"] == 1
    assert set(source.messages()) == {json.dumps(BATCH)}


def test_save_does_not_overwrite_a_file(dlq, tmp_path):
    file = tmp_path / "letters.jsonl"
    file.write_text("mine")

    result = dlq("save", str(file))

    assert (result.exit_code, file.read_text()) == (1, "mine")
    assert f"{file} exists: name a new file" in result.stderr


def test_a_save_that_stops_or_finds_nothing_leaves_no_file(dlq, local, dead, tmp_path):
    dead.send("one", "two")
    crash_at(local, "sqs.ReceiveMessage", call=1)

    stopped = dlq("save", str(tmp_path / "letters.jsonl"))
    unknown = dlq("save", "--id", "unknown", str(tmp_path / "letters.jsonl"))

    assert (stopped.exit_code, unknown.exit_code) == (130, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_text_sends_nothing(dlq, tmp_path):
    file = tmp_path / "letters.jsonl.gz"
    file.write_bytes(gzip.compress(b"{}"))

    result = dlq("replay", "--from", str(file))

    assert result.exit_code == 1
    assert f"line 1 of {file} is not a dead letter" in result.stderr


def test_replay_sends_nothing_from_a_file_with_an_invalid_line(dlq, source, dead, tmp_path):
    dead.send("one")
    file = tmp_path / "letters.jsonl"
    dlq.json("save", str(file))
    file.write_text(file.read_text() + "{}\n")

    result = dlq("replay", "--from", str(file))

    assert (result.exit_code, source.counts) == (1, (0, 0))
    assert f"line 2 of {file} is not a dead letter: pass a file" in result.stderr


def test_purge_stores_each_message_before_it_deletes_it(dlq, local, dead):
    first, second = dead.send(BATCH, "poison")

    result = dlq.json("purge", "collected-plays", "--yes")

    assert (result["kept"], result["place"]) == (2, "s3://archive/dead-letters/")
    assert dead.counts == (0, 0)
    day = f"{datetime.now(UTC):%Y/%m/%d}"
    stored = archived(local)
    assert set(stored) == {
        f"dead-letters/anna/collected-plays/{day}/{first}.json",
        f"dead-letters/_unknown/collected-plays/{day}/{second}.json",
    }
    assert {each["body"] for each in stored.values()} == {json.dumps(BATCH), "poison"}


def test_ctrl_c_during_purge_deletes_only_dead_letters_that_were_stored(dlq, local, dead):
    dead.send("one", "two")
    crash_at(local, "s3.PutObject", call=2)

    result = dlq("purge", "--yes")

    assert result.exit_code == 130
    assert (len(archived(local)), dead.counts) == (1, (1, 0))


def test_purge_deletes_only_what_matches_the_filter(dlq, dead):
    dead.send(BATCH, "poison")

    assert dlq.json("purge", "--listener", "anna", "--yes")["kept"] == 1
    assert list(dead.messages()) == ["poison"]


@pytest.mark.parametrize(("typed", "left"), [("purge", 0), ("yes", 1)])
def test_purge_asks_the_person_to_type_the_word_purge(dlq, dead, at_terminal, typed, left):
    dead.send("poison")
    at_terminal(typed)

    result = dlq("purge")

    assert "1 dead letter will be stored below s3://archive/dead-letters/, " in result.stderr
    assert dead.counts == (left, 0)


def test_without_a_terminal_purge_requires_option_yes(dlq, dead):
    dead.send("poison")

    result = dlq("purge")

    assert (result.exit_code, dead.counts) == (1, (1, 0))
    assert "pass --yes to agree" in result.stderr


def answer_moves(target, *moves):
    """Answer moves in the place of moto, which has none; return what was asked."""
    answers, asked = iter(moves), []

    def start(params, **_):
        asked.append(("StartMessageMoveTask", json.loads(params["body"])))
        return SimpleNamespace(status_code=200), {"TaskHandle": "handle"}

    events = target.session.events
    events.register("before-call.sqs.StartMessageMoveTask", start)
    events.register_last(
        "before-call.sqs.ListMessageMoveTasks",
        lambda **_: (SimpleNamespace(status_code=200), {"Results": [next(answers)]}),
    )
    return asked


def refuse(**_):
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "any")
