import json
from datetime import UTC, datetime

import pytest

from cli.log_lines import function_lines, postgres_lines

STORED = datetime(2026, 11, 30, 12, tzinfo=UTC)
LOADED = {
    "level": "INFO",
    "location": "_load:107",
    "message": "loaded",
    "timestamp": "2026-11-30 11:59:57,600+0000",
    "service": "loader",
    "cold_start": True,
    "function_name": "loader",
    "function_request_id": "a3976441",
    "plays": 500,
}
RUNTIME = {
    "timestamp": "2026-11-30T11:59:58Z",
    "log_level": "ERROR",
    "errorMessage": "no connection to Postgres",
    "errorType": "DatabaseAwayError",
    "requestId": "a3976441",
    "stackTrace": ["  File a", "  File b"],
}
TIMEOUT = {
    "time": "2026-11-30T11:59:58Z",
    "type": "platform.report",
    "record": {"requestId": "a3", "status": "timeout", "metrics": {"durationMs": 5000}},
}
SUCCESS = {"type": "platform.report", "record": {"status": "success", "metrics": {}}}
METRIC = {"_aws": {"Timestamp": 1}, "PlaysNew": [1]}


def read(*lines):
    """Read lines of the loader; JSON is written here as the object that it holds."""
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(function_lines("loader", ((STORED, text) for text in texts)))


def test_a_powertools_line_keeps_its_timestamp_and_drops_standard_fields():
    (line,) = read(LOADED)

    assert line.at == datetime(2026, 11, 30, 11, 59, 57, 600_000, tzinfo=UTC)
    assert (line.level, line.message, line.facts) == ("INFO", "loaded", {"plays": 500})
    assert (line.is_failure, line.exception) == (False, None)


def test_an_error_that_ends_a_function_on_aws_is_a_failure():
    (line,) = read(RUNTIME)

    assert line.is_failure
    assert line.message == "no connection to Postgres"
    assert line.exception == "File a\n  File b\nDatabaseAwayError: no connection to Postgres"


def test_a_traceback_of_the_local_cloud_is_one_failure_named_by_its_last_line():
    lines = read(
        "START RequestId: a3",
        "Traceback (most recent call last):",
        '  File "postgres.py", line 211, in _translated',
        "",
        "DatabaseAwayError: no connection to Postgres",
        "END RequestId: a3",
        LOADED,
    )

    assert [line.message for line in lines] == [
        "DatabaseAwayError: no connection to Postgres",
        "loaded",
    ]
    assert [line.is_failure for line in lines] == [True, False]
    assert lines[0].exception.startswith("Traceback (most recent call last):\n  File ")


def test_each_line_has_the_request_id_of_its_invocation():
    lines = read(
        "INIT_START Runtime Version: python:3.14",
        "START RequestId: r1 Version: $LATEST",
        "hello",
        "Traceback (most recent call last):",
        "ValueError: no",
        "END RequestId: r1",
        "START RequestId: r2 Version: $LATEST",
        "Task timed out after 5.00 seconds",
        LOADED,
        RUNTIME,
        TIMEOUT,
    )

    assert [line.request_id for line in lines] == ["r1", "r1", "r2", "a3976441", "a3976441", "a3"]


def test_a_traceback_at_the_end_of_a_stream_is_read():
    (line,) = read("Traceback (most recent call last):", "ValueError: no")

    assert (line.message, line.is_failure) == ("ValueError: no", True)


def test_a_timeout_is_a_failure_on_aws_and_in_the_local_cloud():
    on_aws, local = read(TIMEOUT, "Task timed out after 5.00 seconds")

    assert (on_aws.message, on_aws.facts) == (
        "Lambda ended the function: timeout",
        {"durationMs": 5000},
    )
    assert [on_aws.is_failure, local.is_failure] == [True, True]


@pytest.mark.parametrize(
    "frame",
    [METRIC, SUCCESS, "START RequestId: a3", "END RequestId: a3", "REPORT RequestId: a3", " "],
    ids=["metric", "success", "start", "end", "report", "empty"],
)
def test_metrics_and_start_end_and_report_lines_are_left_out(frame):
    assert read(frame) == []


@pytest.mark.parametrize("text", ["hello", "[1]", "3"])
def test_other_text_becomes_an_info_line_with_the_same_text(text):
    (line,) = read(text)

    assert (line.at, line.level, line.message) == (STORED, "INFO", text)


def test_detail_lines_of_postgres_are_joined_to_the_line_before_them():
    lines = list(
        postgres_lines(
            [
                "\tthe end of a line that was cut off\n",
                "2026-11-30 12:15:07.915 UTC [19115] LOG:  checkpoint starting: shutdown\n",
                "2026-11-30 12:15:08.716 UTC [19104] loader@spotify ERROR:  duplicate key\n",
                "2026-11-30 12:15:08.716 UTC [19104] DETAIL:  Key (id)=(1) exists.\n",
                "2026-11-30 12:15:08.716 UTC [19104] STATEMENT:  INSERT\n",
                "\tINTO play\n",
            ]
        )
    )

    assert [(line.level, line.message) for line in lines] == [
        ("LOG", "checkpoint starting: shutdown"),
        ("ERROR", "duplicate key DETAIL: Key (id)=(1) exists. STATEMENT: INSERT INTO play"),
    ]
    assert [line.is_failure for line in lines] == [False, True]
    assert lines[0].at == datetime(2026, 11, 30, 12, 15, 7, 915_000, tzinfo=UTC)
