"""Every command: help at three widths, wrong uses, Ctrl-C, no cloud, Postgres away."""

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app

USAGE, FAILED, STOPPED = 2, 1, 130

TABLE = {
    "status": (["--watch 0", "--watch x", "now"], ""),
    "report": (["--month 13", "--rule most", "--out"], ""),
    "dashboard": (["--port 0", "--port x", "now"], ""),
    "sql": (["", "--csv", "a b"], "SELECT"),
    "delete": (["", "--shorter-than 0", "--undo x"], "--artist A --yes"),
    "export": (["--format xls", "--out plays.xls", "--json"], ""),
    "upload": (["", "none.zip", "--timeout x none.zip"], "package.json --yes"),
    "uploads": (["--all x", "now", "--json=x"], ""),
    "uploads show": (["", "x", "1 2"], "1"),
    "poll": (["--timeout -1", "--listener a/b", "now"], ""),
    "heal": (["--track x", "--track", "now"], ""),
    "login": (["--port 0", "--listener a/b", "now"], ""),
    "derive": (["--rebuild x", "--wait", "now"], ""),
    "listener list": (["--all", "now", "--json=x"], ""),
    "listener set": (["", "me", "me --time-zone"], "me --time-zone Europe/Berlin"),
    "listener add": (["", "a/b", "a b"], "zoe"),
    "listener remove": (["", "a/b", "a b"], "me --yes"),
    "dlq list": (["--all", "now", "--json=x"], ""),
    "dlq replay": (["", "a b", "--rate"], "collected-plays"),
    "logs": (["--since nope", "loader enricher", "--since"], ""),
    "local env": (["now", "--json=x", "--shell"], None),
    "local up": (["--detach x", "-c polling_enabled=maybe", "--spotify-api-url"], None),
    "local down": (["now", "--yes", "--json=x"], None),
    "local reset": (["now", "--no", "--json=x"], None),
    "local scenario": (["--none", "--json=x", "x y=z"], None),
}
"""Three wrong uses of each command, and arguments of a right one; None if it needs no target."""

WITH_TARGET = {name: right for name, (_, right) in TABLE.items() if right is not None}
LIBRARY = re.compile(r"Traceback|Value error|unable to|<\w+(\[|>| range)|NoneType")


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            if command.invoke_without_command:
                yield " ".join((*path, name))
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def run(arguments, obj=None, **settings):
    return CliRunner().invoke(app, arguments.split(), obj=obj, **settings)


def test_the_table_in_this_file_lists_every_command():
    assert sorted(TABLE) == sorted(commands(get_command(app)))


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", ["", *TABLE])
def test_the_help_is_no_wider_than_the_terminal(command, columns):
    result = run(f"{command} -h", terminal_width=columns)

    assert result.exit_code == 0
    assert result.stdout == run(f"{command} --help", terminal_width=columns).stdout
    assert max(map(len, result.stdout.splitlines())) <= columns
    assert not LIBRARY.search(result.stdout)
    # No option name is cut.
    names = set(re.findall(r"(?<![\w`-])--[\w-]+", result.stdout))
    assert {"--help", *(["--json"] if command else [])} <= names
    assert "…" not in "".join(names)


@pytest.mark.parametrize(
    ("command", "wrong"), [(name, use) for name, (uses, _) in TABLE.items() for use in uses]
)
def test_a_usage_error_is_explained_without_a_traceback(tmp_path, monkeypatch, command, wrong):
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    result = run(f"{command} {wrong}")

    assert result.exit_code in (USAGE, FAILED)
    assert result.stdout == ""
    assert result.stderr.startswith(("Usage: ", "Error: ", "plays: "))
    assert not LIBRARY.search(result.stderr)


@pytest.mark.parametrize(("command", "right"), WITH_TARGET.items())
def test_ctrl_c_prints_one_line(command, right):
    def press():
        raise KeyboardInterrupt

    result = run(f"{command} {right}", press)

    assert (result.exit_code, result.stdout) == (STOPPED, "")
    assert re.fullmatch(r"plays: stopped.*\n", result.stderr)


@pytest.mark.parametrize(("command", "right"), WITH_TARGET.items())
def test_without_a_cloud_one_line_says_how_to_get_one(tmp_path, monkeypatch, command, right):
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "PLAYS_TARGET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("PLAYS_LOCAL_DIR", str(tmp_path))

    result = run(f"{command} {right}")

    assert (result.exit_code, result.stdout) == (FAILED, "")
    assert re.fullmatch("plays: no local cloud is running here: [^\n]*\n", result.stderr)


@pytest.mark.parametrize(
    "command",
    [
        "sql SELECT",
        "report",
        "export",
        "delete --list",
        "listener list",
        "uploads",
        "uploads show 1",
    ],
)
def test_an_unavailable_postgres_is_a_one_line_error(target, command):
    result = run(command, lambda: target)

    assert (result.exit_code, result.stdout) == (FAILED, "")
    assert re.fullmatch("plays: [^\n]*connection refused[^\n]*\n", result.stderr)


def test_option_version_prints_the_version():
    assert re.fullmatch(r"plays \d+\.\d+\.\d+\n", run("--version").stdout)
