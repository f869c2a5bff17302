import errno
import re

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app
from shared.errors import DatabaseRefusalError


def run(raised: BaseException, *options: str):
    def obj():
        raise raised

    return CliRunner().invoke(app, [*options, "derive"], obj=obj)


@pytest.fixture
def without_settings(home, monkeypatch):
    """Change to a folder with an export, in a shell without settings of AWS."""
    names = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
    for name in (*names, "PLAYS_TARGET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(home)
    (home / "history.json").touch()


@pytest.mark.usefixtures("without_settings")
@pytest.mark.parametrize("command", ["status", "heal", "poll", "upload history.json"])
def test_without_any_cloud_one_line_says_how_to_get_one(command):
    result = CliRunner().invoke(app, command.split())

    assert result.exit_code == (2 if command == "status" else 1)
    assert result.stdout == ""
    assert result.stderr == (
        "plays: no local cloud is running here: start it with `make run`, or for your own plays "
        "with `plays local up --empty`; or, for AWS, set AWS_PROFILE and AWS_REGION\n"
    )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "command",
    [
        "--target local status",
        "status --target local",
        "--target aws status --json --target=local",
        "listener list --target local",
        "dashboard --target local --port 8100",
    ],
)
def test_target_local_without_a_running_cloud_is_refused(command):
    result = CliRunner().invoke(app, command.split())

    assert result.exit_code == (2 if "status" in command else 1)
    assert result.stderr.startswith("plays: no local cloud runs in ")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("status --target", "Invalid value for '--target'.*'status'"),
        ("status --target gcp", "Invalid value for '--target'.*'gcp'"),
        ("status -- --target local", "unexpected extra argument"),
    ],
)
def test_an_invalid_target_after_the_command_is_refused(command, reason):
    result = CliRunner().invoke(app, command.split())

    assert result.exit_code == 2
    assert re.search(reason, result.stderr, re.DOTALL)


def test_no_command_redefines_a_global_option():
    global_options = {name for option in get_command(app).params for name in option.opts}

    assert "--target" in global_options
    assert not global_options & set(_own_options(get_command(app)))


def _own_options(group):
    for command in group.commands.values():
        yield from (name for option in command.params for name in option.opts)
        if isinstance(command, TyperGroup):
            yield from _own_options(command)


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        pytest.param(DatabaseRefusalError("two\nlines"), "two lines", id="ours"),
        pytest.param(
            DatabaseRefusalError("bad \x1b[2J\x9b \u202e\ud800"),
            "bad \\u001b[2J\\u009b \\u202e\\ud800",
            id="hostile",
        ),
        pytest.param(NoCredentialsError(), "no local cloud is running here: ", id="credentials"),
        pytest.param(
            EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
            "nothing answers at http://127.0.0.1:1: start the local cloud again",
            id="endpoint",
        ),
        pytest.param(
            ReadTimeoutError(endpoint_url="http://127.0.0.1:1"),
            "the local cloud hangs, nothing answers at http://127.0.0.1:1: restart it with `plays",
            id="no answer in time",
        ),
        pytest.param(
            ReadTimeoutError(endpoint_url="https://sqs.eu-west-1.amazonaws.com/"),
            "nothing answers at https://sqs.eu-west-1.amazonaws.com/: check the network",
            id="no answer in time in AWS",
        ),
        pytest.param(
            EndpointConnectionError(endpoint_url="https://sqs.eu-west-1.amazonaws.com/"),
            "nothing answers at https://sqs.eu-west-1.amazonaws.com/: check the network",
            id="endpoint in AWS",
        ),
        pytest.param(
            ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "GetObject"),
            "An error occurred (AccessDenied) when calling the GetObject operation: not you",
            id="aws",
        ),
    ],
)
def test_an_error_prints_one_line_and_exits_with_1(raised, line):
    result = run(raised)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith(f"plays: {line}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (NoRegionError(), "no AWS region is set: set AWS_REGION"),
        (NoCredentialsError(), "no AWS credentials are found: set AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "nothing answers at http:"),
    ],
    ids=["region", "credentials", "endpoint"],
)
@pytest.mark.parametrize("asks", [["--target", "aws"], []], ids=["option", "variable"])
def test_with_target_aws_no_message_mentions_the_local_cloud(raised, line, asks, monkeypatch):
    monkeypatch.setenv("PLAYS_TARGET", "aws")

    result = run(raised, *asks)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"plays: {line}")
    assert result.stderr.count("\n") == 1
    assert not re.search(r"local|make run", result.stderr)


@pytest.mark.usefixtures("without_settings")
@pytest.mark.parametrize("command", ["status", "sql x", "heal", "poll", "upload history.json"])
def test_a_missing_aws_region_is_a_one_line_error(command):
    result = CliRunner().invoke(app, ["--target", "aws", *command.split()])

    assert (result.exit_code, result.stdout) == (2 if command == "status" else 1, "")
    assert result.stderr == (
        "plays: no AWS region is set: set AWS_REGION, or a region in the profile of AWS_PROFILE\n"
    )


@pytest.mark.parametrize(
    "command", ["local up --detach", "local down", "local reset", "--target local status"]
)
def test_an_unusable_home_directory_is_a_one_line_error(tmp_path, monkeypatch, command):
    home = tmp_path / "file"
    home.touch()
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(home))

    result = CliRunner().invoke(app, command.split())

    assert result.exit_code == (2 if "status" in command else 1)
    assert result.stderr.startswith(f"plays: {home}/")
    assert result.stderr.endswith(" cannot be read or written: Not a directory\n")


def test_a_closed_stdout_ends_the_command_without_a_message():
    result = run(BrokenPipeError(errno.EPIPE, "Broken pipe"))

    assert (result.exit_code, result.stderr) == (1, "")


def test_ctrl_c_ends_with_exit_code_130():
    result = run(KeyboardInterrupt())

    assert result.exit_code == 130
    assert result.stderr == "plays: stopped\n"


@pytest.mark.parametrize(
    "bug", [ZeroDivisionError(), OSError(errno.EBADF, "Bad file descriptor")], ids=repr
)
def test_an_unexpected_exception_keeps_its_traceback(bug):
    result = run(bug)

    assert result.exception is bug


def test_a_database_port_without_a_host_is_refused():
    result = CliRunner().invoke(app, ["--database-port", "15432", "status"])

    assert result.exit_code == 1
    assert result.stderr == ("plays: --database-port is the port of --database-host: pass both\n")


def test_help_says_which_command_to_start_with():
    result = CliRunner().invoke(app, ["--help"])

    assert result.exit_code == 0
    assert "Start with `plays local up`" in result.stdout
