import json

import pytest
from botocore.exceptions import ClientError

from cli.commands.dlq import send_back
from cli.queues import depth


@pytest.fixture
def sqs(target):
    return target.client("sqs")


@pytest.fixture
def source(target):
    return target.output("CollectedPlaysQueueUrl")


@pytest.fixture
def dead(target):
    return target.output("CollectedPlaysDlqUrl")


def bodies(sqs, url):
    received = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return {message["Body"]: message for message in received.get("Messages", [])}


def send(sqs, url, *words):
    for word in words:
        sqs.send_message(QueueUrl=url, MessageBody=word)


def test_replay_sends_every_dead_letter_back_with_its_attributes(plays, sqs, source, dead):
    send(sqs, dead, "one", "two")
    attributes = {"trace": {"DataType": "String", "StringValue": "abc"}}
    sqs.send_message(QueueUrl=dead, MessageBody="three", MessageAttributes=attributes)

    result = plays("dlq", "replay", "collected-plays", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "queue": "spotify-pipeline-collected-plays",
        "dead_letter_queue": "spotify-pipeline-collected-plays-dlq",
        "replayed": 3,
        "remaining": 0,
    }
    back = bodies(sqs, source)
    assert set(back) == {"one", "two", "three"}
    assert back["three"]["MessageAttributes"] == attributes


@pytest.mark.parametrize("count", [0, 23], ids=["none", "more than one receive returns"])
def test_replay_sends_all_dead_letters(plays, sqs, source, dead, count):
    send(sqs, dead, *map(str, range(count)))

    result = plays("dlq", "replay", "collected-plays-dlq")

    assert result.exit_code == 0
    assert result.stdout == f"{count} messages sent back to spotify-pipeline-collected-plays\n"
    assert depth(sqs, source).total == count


def test_replay_sends_messages_that_were_in_flight_at_its_start(plays, sqs, source, dead):
    send(sqs, dead, "one", "two")
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=1)

    result = plays("dlq", "replay", "collected-plays", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["replayed"] == 2
    assert set(bodies(sqs, source)) == {"one", "two"}


def test_replay_fails_if_another_reader_holds_all_messages(plays, sqs, dead):
    send(sqs, dead, "one", "two")
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=60)

    result = plays("dlq", "replay", "collected-plays", "--json")

    assert result.exit_code == 1
    assert "none of the 2 dead letters is available" in result.stderr
    assert json.loads(result.stdout)["remaining"] == 2


def test_replay_does_not_send_dead_letters_that_arrive_later(sqs, source, dead):
    send(sqs, dead, "one", "two")

    replayed = send_back(sqs, dead, source, 2, lambda: send(sqs, dead, "late"))

    assert replayed == 2
    assert depth(sqs, dead).visible == 2
    assert set(bodies(sqs, source)) == {"one", "two"}


@pytest.mark.parametrize(
    ("operation", "sent"), [("DeleteMessage", {"one"}), ("SendMessage", set())]
)
def test_a_message_is_deleted_only_after_it_was_sent(sqs, source, dead, operation, sent):
    send(sqs, dead, "one")
    sqs.meta.events.register(f"before-call.sqs.{operation}", refuse)

    with pytest.raises(ClientError):
        send_back(sqs, dead, source, 1)

    assert set(bodies(sqs, source)) == sent
    assert depth(sqs, dead).total == 1


def test_ctrl_c_during_a_replay_loses_no_message(plays, target, sqs, source, dead):
    send(sqs, dead, "one", "two", "three")
    effects = iter([lambda: None, interrupt])
    target.session.events.register(
        "before-call.sqs.SendMessage", lambda **_: next(effects)(), unique_id="stop"
    )

    result = plays("dlq", "replay", "collected-plays")

    assert result.exit_code == 130
    assert "run it again after 30 s" in result.stderr
    assert depth(sqs, source).visible == 1
    assert depth(sqs, dead).total == 2


def test_list_counts_the_dead_letters_that_can_be_replayed(plays, target, sqs, dead):
    send(sqs, dead, "one", "two")
    send(sqs, target.output("FailedTicksQueueUrl"), "a failed poll")

    listed = json.loads(plays("dlq", "list", "--json").stdout)
    shown = plays("dlq", "list").stdout

    assert listed["total"] == 2
    assert [(queue["queue"], queue["messages"]["visible"]) for queue in listed["queues"]] == [
        ("spotify-pipeline-collected-plays", 2),
        (None, 1),
    ]
    assert "spotify-pipeline-collected-plays " in shown
    assert "spotify-pipeline-failed-ticks (cannot be replayed)" in shown


def refuse(**_):
    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "any")


def interrupt():
    raise KeyboardInterrupt
