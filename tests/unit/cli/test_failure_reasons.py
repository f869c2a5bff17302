from datetime import UTC, datetime

import pytest

from cli.dead_letters import read_message
from cli.failure_reasons import FailureReasons
from cli.log_lines import LogLine
from tests.unit.cli.letters import BATCH, FAILED_POLL, a_message

AT = datetime(2026, 11, 30, tzinfo=UTC)
TRACEBACK = "Traceback (most recent call last):\n  File a\nDatabaseAwayError: connection refused"


def a_line(message, request_id="r1", *, level="ERROR", exception=None, **facts):
    return LogLine(
        at=AT, log="loader", level=level, message=message, facts=facts,
        exception=exception, request_id=request_id,
    )  # fmt: skip


def received(*message_ids, request_id="r1"):
    return a_line("messages received", request_id, level="INFO", message_ids=list(message_ids))


def explained(*lines, message_id="m1"):
    letter = read_message("enriched-plays", a_message(BATCH, message_id))
    return FailureReasons(lines).explain(letter)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line("batch was refused", id="m1", error="too long"), "batch was refused: too long"),
        (
            a_line("message does not fit its model", id="m1", faults=["a: no", "b: no"]),
            "message does not fit its model: a: no; b: no",
        ),
        (a_line("tracks cannot be looked up", error="away"), "tracks cannot be looked up: away"),
        (
            a_line("DatabaseAwayError: connection refused", exception=TRACEBACK),
            "DatabaseAwayError: connection refused",
        ),
        (
            a_line("Record processing exception", level="WARNING", exception=TRACEBACK),
            "Record processing exception: DatabaseAwayError: connection refused",
        ),
        (a_line("Lambda ended the function: timeout"), "Lambda ended the function: timeout"),
    ],
    ids=["refused", "invalid", "of all messages", "uncaught", "of the backfill", "timeout"],
)
def test_the_reason_is_the_failure_of_the_invocation_that_received_the_message(line, reason):
    letter = explained(received("m0", "m1"), line)

    assert (letter.reason, letter.log) == (reason, (line,))


def test_a_failure_logged_for_another_message_is_not_the_reason():
    other = a_line("batch was refused", id="m0", error="too long")

    assert explained(received("m0", "m1"), other).reason is None


def test_a_failure_logged_for_the_message_itself_takes_precedence():
    own = a_line("batch was refused", id="m1", error="too long")

    letter = explained(received("m1"), own, a_line("tracks cannot be looked up"))

    assert letter.reason == "batch was refused: too long"


def test_the_reason_comes_from_the_last_attempt_that_failed():
    letter = explained(
        received("m1"),
        a_line("first"),
        received("m1", request_id="r2"),
        a_line("second", "r2"),
        received("m1", request_id="r3"),
        a_line("loaded", "r3", level="INFO"),
    )

    assert letter.reason == "second"


def test_the_log_of_an_attempt_omits_lines_about_other_messages():
    note, failure = a_line("derived tables", level="INFO"), a_line("away")

    letter = explained(
        received("m0", "m1"), a_line("refused", id="m0"), note, failure, a_line("other", "r2")
    )

    assert letter.log == (note, failure)


def test_a_failure_line_that_names_the_message_alone_gives_the_reason():
    letter = explained(a_line("batch was refused", id="m1", error="too long"))

    assert letter.reason == "batch was refused: too long"


def test_lines_without_a_failure_or_without_a_request_id_give_no_reason():
    lines = [received("m1"), a_line("loaded", level="INFO"), a_line("away", request_id=None)]

    letter = explained(*lines)

    assert (letter.reason, letter.log) == (None, ())


def test_a_reason_in_the_message_itself_is_not_replaced_by_the_log():
    letter = read_message("failed-ticks", a_message(FAILED_POLL))

    reasons = FailureReasons([received("m1"), a_line("another reason")])

    assert reasons.explain(letter).reason == "SpotifyError: no answer"
