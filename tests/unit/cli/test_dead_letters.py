import json
from datetime import timedelta

import pytest

from cli.dead_letters import Filter, decode, faults_in, group, read_message
from tests.unit.cli.letters import BATCH, FAILED_POLL, PLAY, SENT_AT, UPLOAD, a_message

ENRICHED, FILES, POLLS = "enriched-plays", "uploaded-files", "failed-ticks"
NOW = SENT_AT + timedelta(hours=2)
HOUR = timedelta(hours=1)
NOTHING = (None, None, None, None)


def a_letter(body=BATCH, queue=ENRICHED, **options):
    return read_message(queue, a_message(body, **options))


@pytest.mark.parametrize(
    ("queue", "body", "found"),
    [
        (ENRICHED, BATCH, ("anna", "polls/anna/a.json.gz", 1, None)),
        (ENRICHED, {"features": []}, NOTHING),
        (FILES, UPLOAD, ("ben", "history/ben/a.zip?versionId=v1", None, None)),
        (POLLS, FAILED_POLL, ("me", None, None, "SpotifyError: no answer")),
        (
            POLLS,
            {"requestPayload": {"listener": "me"}, "requestContext": {"condition": "Expired"}},
            ("me", None, None, "Expired"),
        ),
        (POLLS, {"listener": "me"}, ("me", None, None, None)),
        (ENRICHED, "no JSON", NOTHING),
        (ENRICHED, [], NOTHING),
        (ENRICHED, {"listener": "../", "origin": 5, "detail": 7}, NOTHING),
    ],
    ids=[
        *("batch", "healing batch", "upload", "failed poll", "dropped poll", "poll not sent"),
        *("no JSON", "list", "wrong types"),
    ],
)
def test_listener_origin_play_count_and_reason_are_read_from_the_body(queue, body, found):
    letter = a_letter(body, queue)

    assert (letter.listener, letter.origin, letter.plays, letter.reason) == found


def test_the_reason_of_an_unsent_poll_is_read_from_the_message_attributes():
    letter = a_letter({"listener": "me"}, POLLS, ERROR_CODE="Throttled", ERROR_MESSAGE="too many")

    assert letter.reason == "Throttled: too many"


def test_a_dead_letter_has_the_body_sent_time_and_receive_count_of_its_message():
    letter = a_letter("{} ", message_id="m7", received=3)

    assert (letter.id, letter.sent_at, letter.received) == ("m7", SENT_AT, 3)
    assert letter.body == "{} "


@pytest.mark.parametrize(
    ("wanted", "is_match"),
    [
        (Filter(), True),
        (Filter(ids=("m12",)), True),
        (Filter(ids=("x", "m1")), True),
        (Filter(ids=("m2",)), False),
        (Filter(listener="anna"), True),
        (Filter(listener="ann"), False),
        (Filter(origin="POLLS/anna"), True),
        (Filter(origin="history/"), False),
        (Filter(reason="no line of the log"), True),
        (Filter(reason="refused"), False),
        (Filter(older_than=HOUR), True),
        (Filter(older_than=3 * HOUR), False),
        (Filter(newer_than=3 * HOUR), True),
        (Filter(newer_than=HOUR), False),
        (Filter(listener="anna", origin="history/"), False),
    ],
    ids=repr,
)
def test_a_filter_matches_dead_letters_that_meet_all_its_conditions(wanted, is_match):
    letter = a_letter(message_id="m123")

    assert wanted.matches(letter, NOW) is is_match


def test_a_reason_filter_matches_a_part_of_the_reason_in_any_case():
    letter = a_letter(FAILED_POLL, POLLS)

    assert Filter(reason="spotifyerror").matches(letter, NOW)
    assert not Filter(reason="no line of the log").matches(letter, NOW)


@pytest.mark.parametrize(
    "wanted",
    [
        *(Filter(ids=("a",)), Filter(listener="a"), Filter(origin="a"), Filter(reason="a")),
        *(Filter(older_than=HOUR), Filter(newer_than=HOUR), Filter(most=1)),
    ],
    ids=repr,
)
def test_a_filter_is_empty_only_without_any_condition(wanted):
    assert (wanted.is_empty, Filter().is_empty) == (False, True)


def test_dead_letters_are_grouped_by_queue_listener_and_reason():
    refused = {"reason": "batch was refused"}
    letters = [
        a_letter(FAILED_POLL, POLLS),
        a_letter(sent_at=SENT_AT),
        a_letter(sent_at=SENT_AT + HOUR).model_copy(update=refused),
        a_letter(sent_at=SENT_AT - HOUR).model_copy(update=refused),
        a_letter(BATCH | {"listener": "me"}).model_copy(update=refused),
    ]

    found = [(g.queue, g.listener, g.reason, g.count, g.oldest_at) for g in group(letters)]

    assert found == [
        (ENRICHED, "anna", "batch was refused", 2, SENT_AT - HOUR),
        (ENRICHED, "anna", None, 1, SENT_AT),
        (ENRICHED, "me", "batch was refused", 1, SENT_AT),
        (POLLS, "me", "SpotifyError: no answer", 1, SENT_AT),
    ]


@pytest.mark.parametrize(("body", "content"), [('{"a": 1}', {"a": 1}), ("{", "{")])
def test_decode_parses_a_json_body_and_returns_any_other_text_unchanged(body, content):
    assert decode(body) == content


@pytest.mark.parametrize(
    ("queue", "body"),
    [
        ("collected-plays", BATCH),
        (ENRICHED, BATCH | {"features": []}),
        (ENRICHED, {"origin": "healing/1", "number": 0}),
        (FILES, UPLOAD),
    ],
    ids=["collected", "enriched", "healing", "upload"],
)
def test_a_body_that_the_queues_function_can_read_has_no_faults(queue, body):
    assert faults_in(queue, json.dumps(body), "archive") == []


@pytest.mark.parametrize(
    ("queue", "body", "fault"),
    [
        ("collected-plays", {"origin": "healing/1", "number": 0}, "listener: Field required"),
        (ENRICHED, BATCH | {"plays": [PLAY | {"ms_played": -1}]}, "plays.0.ms_played: "),
        (FILES, {"detail": {}}, "not an event of an upload: detail-type: Field required"),
        (FILES, UPLOAD | {"detail": UPLOAD["detail"] | {"bucket": {"name": "b"}}}, "the event com"),
        (ENRICHED, "no JSON", "all: Invalid JSON"),
    ],
    ids=["no listener", "negative time", "no event", "other bucket", "no JSON"],
)
def test_a_body_that_the_queues_function_cannot_read_has_faults(queue, body, fault):
    text = body if isinstance(body, str) else json.dumps(body)

    faults = faults_in(queue, text, "archive")

    assert any(each.startswith(fault) for each in faults), faults
