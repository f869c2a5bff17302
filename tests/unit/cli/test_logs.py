import json
import time
from datetime import UTC, datetime, timedelta
from itertools import count, islice

import pytest
from typer.testing import CliRunner

from cli.function_logs import PAGE_EVENTS, Follower
from cli.log_lines import LogLine
from cli.main import app
from tests.unit.cli.cloud_state import a_cloud_state

LOADER, COLLECTOR = "/spotify-pipeline/loader", "/spotify-pipeline/collector"
NOW = datetime.now(UTC)


class Lambda:
    """Lambda, which names the log group of each function."""

    def get_function_configuration(self, FunctionName):
        return {"LoggingConfig": {"LogGroup": f"/spotify-pipeline/{FunctionName}"}}


class LoggingTarget:
    """A target whose logs are in moto; local with `state`."""

    def __init__(self, session, state=None):
        functions = {"LoaderFunction": "loader", "CollectorFunction": "collector"}
        self.outputs = {**functions, "ArchiveBucket": "archive"}
        self._session = session
        self.state = state

    def client(self, service):
        return Lambda() if service == "lambda" else self._session.client(service)


@pytest.fixture
def write(aws):
    """Write a line into the log of a function."""
    logs = aws.client("logs")

    def put(group, level, message, *, at=NOW, **facts):
        stream = {"logGroupName": group, "logStreamName": f"{len(written)}"}
        if group not in groups:
            logs.create_log_group(logGroupName=group)
            groups.add(group)
        logs.create_log_stream(**stream)
        text = json.dumps({"level": level, "message": message, "timestamp": str(at), **facts})
        event = {"timestamp": int(at.timestamp() * 1_000), "message": text}
        logs.put_log_events(**stream, logEvents=[event])
        written.append(text)

    groups, written = set(), []
    return put


@pytest.fixture
def logs(aws):
    """Run `plays logs` on AWS, or on a local cloud with this state."""

    def run(*arguments, state=None):
        target = LoggingTarget(aws, state)
        return CliRunner().invoke(app, ["logs", *arguments], obj=lambda: target)

    return run


@pytest.fixture
def local(tmp_path):
    """The state of a local cloud whose Postgres has written one error."""
    (tmp_path / "postgres").mkdir()
    at = f"{NOW:%Y-%m-%d %H:%M:%S}.000"
    (tmp_path / "postgres" / "log").write_text(f"{at} UTC [7] ERROR:  no room\n")
    return a_cloud_state(log_dir=tmp_path / "logs")


def messages(result):
    assert result.exit_code == 0, result.stderr
    return [line["message"] for line in json.loads(result.stdout)["lines"]]


def test_the_lines_of_all_functions_are_sorted_by_time(write, logs):
    write(LOADER, "INFO", "third", at=NOW)
    write(COLLECTOR, "INFO", "second", at=NOW - timedelta(minutes=1))
    write(LOADER, "INFO", "first", at=NOW - timedelta(minutes=2))

    assert messages(logs("--json")) == ["first", "second", "third"]


def test_a_line_for_people_has_local_time_log_level_and_facts(write, logs):
    write(LOADER, "ERROR", "batch was refused", origin="history/a.zip", batches=2)

    (line,) = logs("loader").stdout.splitlines()

    at = f"{NOW.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    facts = "origin=history/a.zip  batches=2"
    assert line == f"{at}  loader     ERROR    batch was refused  {facts}"


def test_a_line_that_is_stored_late_is_sorted_by_its_own_timestamp(aws, logs):
    # MiniStack stores the lines of an invocation at its end.
    client, stream = aws.client("logs"), {"logGroupName": LOADER, "logStreamName": "1"}
    client.create_log_group(logGroupName=LOADER)
    client.create_log_stream(**stream)
    for minutes, text in ((14, "second"), (15, "first"), (0, "third")):
        at = NOW - timedelta(minutes=minutes)
        line = {"level": "INFO", "message": text, "timestamp": str(at)}
        event = {"timestamp": int(NOW.timestamp() * 1_000), "message": json.dumps(line)}
        client.put_log_events(**stream, logEvents=[event])

    assert messages(logs("--json")) == ["first", "second", "third"]


def test_a_long_log_is_read_to_its_newest_line(aws, logs):
    client, stream = aws.client("logs"), {"logGroupName": LOADER, "logStreamName": "1"}
    client.create_log_group(logGroupName=LOADER)
    client.create_log_stream(**stream)
    first = int(NOW.timestamp() * 1_000) - 2 * PAGE_EVENTS
    events = [{"timestamp": first + n, "message": str(n)} for n in range(2 * PAGE_EVENTS)]
    for part in (events[:PAGE_EVENTS], events[PAGE_EVENTS:]):
        client.put_log_events(**stream, logEvents=part)

    assert messages(logs("--json")) == [event["message"] for event in events]


class Endless:
    """A log with a line for each minute, without an end."""

    def __init__(self, name):
        self._name = name

    def lines(self, since):
        for minute in count():
            at = since + timedelta(minutes=minute)
            yield LogLine(at=at, log=self._name, level="INFO", message="polled")


def test_lines_are_shown_before_a_log_is_read_to_its_end():
    lines = Follower([Endless("collector"), Endless("loader")], NOW).news()

    assert [line.log for line in islice(lines, 4)] == ["collector", "loader"] * 2


def test_a_function_name_selects_the_log_of_this_function(write, logs):
    write(LOADER, "INFO", "loaded")
    write(COLLECTOR, "INFO", "polled")

    assert messages(logs("collector", "--json")) == ["polled"]


def test_option_errors_shows_only_failures(write, logs):
    write(LOADER, "INFO", "loaded")
    write(LOADER, "ERROR", "batch was refused")

    assert messages(logs("--errors", "--json")) == ["batch was refused"]


def test_lines_older_than_an_hour_are_shown_only_with_option_since(write, logs):
    write(LOADER, "INFO", "old", at=NOW - timedelta(hours=3))
    write(COLLECTOR, "INFO", "new")

    assert messages(logs("--json")) == ["new"]
    assert messages(logs("--since", "4h", "--json")) == ["old", "new"]


def test_if_there_are_no_lines_a_note_says_so_and_the_exit_code_is_0(logs):
    result = logs("--errors", "--since", "10m")

    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "no errors in the last 10m: --since looks back further\n"


def test_the_log_of_the_local_postgres_is_shown(write, logs, local):
    write(LOADER, "INFO", "loaded", at=NOW - timedelta(minutes=1))

    assert messages(logs("--json", state=local)) == ["loaded", "no room"]
    assert messages(logs("postgres", "--json", state=local)) == ["no room"]


def test_on_aws_the_error_says_where_the_log_of_postgres_is(logs):
    result = logs("postgres")

    assert result.exit_code == 1
    assert "on AWS the log of Postgres is in the journal of its host" in result.stderr


def test_an_unknown_log_is_refused_with_the_known_ones(logs, local):
    result = logs("lodaer", state=local)

    assert result.exit_code == 1
    assert "there is no log 'lodaer': use one of loader, collector, postgres" in result.stderr


@pytest.mark.parametrize("age", ["5x", "yesterday", "-1h", "1.5h", "999999d", ""])
def test_an_invalid_age_is_refused(logs, age):
    result = logs("--since", age)

    assert result.exit_code == 2
    assert "is not an age" in result.stderr


def test_option_follow_shows_each_new_line_once_until_ctrl_c(write, logs, monkeypatch, ctrl_c):
    looks: list[int] = []

    def sleep(_):
        if len(looks) == 2:
            raise KeyboardInterrupt
        looks.append(1)
        write(LOADER, "INFO", f"look {len(looks)}", at=datetime.now(UTC))

    monkeypatch.setattr(time, "sleep", sleep)
    write(LOADER, "INFO", "before")

    result = logs("--follow", "--json")

    lines = [json.loads(line)["message"] for line in result.stdout.splitlines()]
    assert lines == ["before", "look 1", "look 2"]
    assert result.exit_code == 130
