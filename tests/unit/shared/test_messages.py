"""The messages of one invocation: valid ones are read, the others are named."""

import gc
import json

import pytest

from shared.messages import LOGGED_FAULTS, collection_paused, read_messages, report_failures
from shared.models import PlayBatch

BATCH = {"listener": "me", "source": "recently-played", "origin": "polls/me/1", "number": 0}


def a_record(message_id, body):
    return {"messageId": message_id, "body": body, "eventSource": "aws:sqs"}


def test_sqs_messages_are_returned_by_id_in_the_order_of_the_event():
    records = [a_record(f"m{n}", json.dumps(BATCH | {"number": n})) for n in (2, 0, 1)]

    readable, poisoned = read_messages({"Records": records}, PlayBatch)

    assert list(readable) == ["m2", "m0", "m1"]
    assert [batch.number for batch in readable.values()] == [2, 0, 1]
    assert poisoned == []


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", "[" * 100_000, json.dumps(BATCH | {"schema_version": 2}),
     json.dumps(BATCH | {"origin": "\x00"}), json.dumps(BATCH | {"origin": "\ud800"}),
     json.dumps(BATCH | {"origin": "\ud800"}, ensure_ascii=False)],
    ids=["empty", "no JSON", "null", "nested", "schema", "NUL", "escaped surrogate", "surrogate"],
)  # fmt: skip
def test_ids_of_invalid_messages_are_returned_separately(body):
    records = [a_record("a", json.dumps(BATCH)), a_record("b", body), a_record("c", "{}")]

    readable, poisoned = read_messages({"Records": records}, PlayBatch)

    assert (list(readable), poisoned) == (["a"], ["b", "c"])


def test_the_log_of_an_invalid_message_hides_its_content(caplog):
    read_messages(
        {"Records": [a_record("a", json.dumps(BATCH | {"listener": "Jane Doe"}))]}, PlayBatch
    )

    _, record = caplog.records
    logged = vars(record)
    assert (logged["id"], logged["model"]) == ("a", "PlayBatch")
    assert [fault.split(":")[0] for fault in logged["faults"]] == ["listener"]
    assert "Jane" not in repr(logged)


def test_only_the_first_five_validation_errors_of_a_message_are_logged(caplog):
    plays = json.dumps(BATCH | {"plays": [{}] * 100})

    read_messages({"Records": [a_record("a", plays)]}, PlayBatch)

    _, record = caplog.records
    assert len(vars(record)["faults"]) == LOGGED_FAULTS
    assert vars(record)["faults"][0].startswith("plays.0.track_uri: ")


def test_the_ids_of_all_messages_are_logged_before_any_failure(caplog):
    read_messages({"Records": [a_record("a", "{}"), a_record("b", json.dumps(BATCH))]}, PlayBatch)

    first, second = caplog.records
    assert (first.message, vars(first)["message_ids"]) == ("messages received", ("a", "b"))
    assert (second.message, vars(second)["id"]) == ("message does not fit its model", "a")


@pytest.mark.parametrize("ids", [[], ["a", "b"]], ids=["none", "two"])
def test_failed_messages_are_reported_to_lambda(ids):
    assert report_failures(ids) == {"batchItemFailures": [{"itemIdentifier": i} for i in ids]}


def test_garbage_collection_is_off_inside_collection_paused():
    with collection_paused():
        paused = gc.isenabled()

    assert (paused, gc.isenabled()) == (False, True)


def test_garbage_collection_is_on_again_after_an_exception_in_collection_paused():
    with pytest.raises(ZeroDivisionError), collection_paused():
        raise ZeroDivisionError

    assert gc.isenabled()
