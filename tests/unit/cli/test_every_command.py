"""Every command: help at three widths, JSON, wrong uses, Ctrl-C, no cloud, Postgres away."""

import json
import re
from functools import cached_property
from types import MappingProxyType

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cli.login.terminal_input import TerminalInput
from cli.main import app
from services.collector.poll import Outcome
from services.enricher.healing import Healing
from services.loader.derive import Derived
from tests.unit.cli.cloud_state import a_cloud_state
from tests.unit.cli.conftest import KnownTarget

DONE, FAILED, USAGE, CRITICAL, STOPPED = 0, 1, 2, 2, 130
PAGE = "http://127.0.0.1:8100/"

TABLE = {
    "status": (["--watch 0", "--watch x", "now"], ""),
    "report": (["--month 13", "--rule most", "--out"], ""),
    "dashboard": (["--port 0", "--port x", "now"], ""),
    "sql": (["", "--csv", "a b"], "SELECT"),
    "delete": (["", "--shorter-than 0", "--undo x"], "--artist A --yes"),
    "export": (["--format xls", "--out plays.xls", "--from x"], "--out none.csv"),
    "upload": (["", "none.zip", "--timeout x none.zip"], "package.json --yes"),
    "uploads": (["--all show 1", "--all dismiss 1", "now"], ""),
    "uploads show": (["", "x", "1 2"], "1"),
    "uploads dismiss": (["", "x", "1 2"], "1"),
    "poll": (["--timeout -1", "--listener a/b", "now"], ""),
    "heal": (["--track x", "--track", "now"], ""),
    "login": (["--port 0", "--listener a/b", "now"], ""),
    "derive": (["--rebuild x", "--wait", "now"], ""),
    "verify": (["--from soon", "--listener a/b", "now"], ""),
    "rebuild": (["--from soon", "--timeout -1", "now"], "--dry-run"),
    "listener list": (["--all", "now", "--json=x"], ""),
    "listener set": (["", "me", "me --time-zone"], "me --time-zone Europe/Berlin"),
    "listener add": (["", "a/b", "a b"], "zoe"),
    "listener remove": (["", "a/b", "a b"], "me --yes"),
    "dlq list": (["--all", "now", "--json=x"], ""),
    "dlq peek": (["none", "a b", "--most 0"], ""),
    "dlq replay": (["none", "--older-than soon", "--rate 0"], "collected-plays"),
    "dlq edit": (["", "a b", "--id a"], "a"),
    "dlq save": (["", "a b c", "a --newer-than x"], "none.jsonl"),
    "dlq purge": (["none", "a b", "--most x"], "--yes"),
    "logs": (["--since nope", "loader enricher", "--since"], ""),
    "local env": (["now", "--json=x", "--shell"], None),
    "local up": (["--detach x", "-c polling_enabled=maybe", "--spotify-api-url"], None),
    "local down": (["now", "--yes", "--json=x"], None),
    "local reset": (["now", "--no", "--json=x"], None),
    "local scenario": (["--none", "--json=x", "x y=z"], None),
}
"""Three wrong uses of each command, and arguments of a right one; None if it needs no target."""

WITH_TARGET = {name: right for name, (_, right) in TABLE.items() if right is not None}
WITHOUT_CLOUD = {
    **{
        f"{name} {right}": CRITICAL if name == "status" else FAILED
        for name, right in WITH_TARGET.items()
    },
    "local env": FAILED,
    "local scenario": FAILED,
    "local up": FAILED,
    "local down": DONE,
    "local reset": DONE,
}
"""Arguments, and the exit code where no cloud runs; with --json `local up` needs --detach."""
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


def document(result):
    """Return the JSON document that is all of stdout; after a failure it is the line on stderr."""
    found = json.loads(result.stdout)
    if result.exit_code and "verdict" not in found:
        assert list(found) == ["error"]
        assert found["error"] in result.stderr
    return found


@pytest.fixture
def no_cloud(home, monkeypatch):
    """A shell without settings of AWS, in which no local cloud runs."""
    names = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION")
    for name in (*names, "PLAYS_TARGET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / "none"))


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
    as_json = run(f"{command} --json {wrong}")
    assert as_json.exit_code in (USAGE, FAILED)
    assert list(document(as_json)) == ["error"]


@pytest.mark.parametrize(("command", "right"), WITH_TARGET.items())
def test_ctrl_c_prints_one_line_and_no_traceback(command, right):
    def press():
        raise KeyboardInterrupt

    result = run(f"{command} {right}", press)

    assert (result.exit_code, result.stdout) == (STOPPED, "")
    assert re.fullmatch(r"plays: stopped.*\n", result.stderr)


@pytest.mark.usefixtures("no_cloud")
@pytest.mark.parametrize(("command", "right"), WITH_TARGET.items())
def test_without_a_cloud_one_line_says_how_to_get_one(command, right):
    result = run(f"{command} {right}")

    code = CRITICAL if command == "status" else FAILED
    assert (result.exit_code, result.stdout) == (code, "")
    assert re.fullmatch("plays: no local cloud is running here: [^\n]*\n", result.stderr)


@pytest.mark.usefixtures("no_cloud")
@pytest.mark.parametrize(("command", "code"), WITHOUT_CLOUD.items())
def test_without_a_cloud_option_json_prints_one_document(command, code):
    result = run(f"{command} --json")

    assert result.exit_code == code
    assert document(result)


REFUSED = "connection refused"
AWAY = {
    "status": (CRITICAL, f"Postgres is unavailable: {REFUSED}"),
    "report": (FAILED, REFUSED),
    "dashboard": (DONE, PAGE),
    "sql": (FAILED, REFUSED),
    "upload": (DONE, "package.json"),
    "uploads": (FAILED, REFUSED),
    "uploads show": (FAILED, REFUSED),
    "uploads dismiss": (FAILED, REFUSED),
    "poll": (DONE, "2 new plays"),
    "heal": (DONE, "no track"),
    "login": (FAILED, "no client id was given"),
    "derive": (FAILED, REFUSED),
    "listener list": (FAILED, REFUSED),
    "listener set": (FAILED, REFUSED),
    "listener add": (FAILED, "on AWS listeners are part of the deployment"),
    "listener remove": (FAILED, "on AWS listeners are part of the deployment"),
    "verify": (FAILED, REFUSED),
    "rebuild": (DONE, "would be sent"),
    "delete": (FAILED, REFUSED),
    "export": (FAILED, REFUSED),
    "dlq list": (DONE, "0 dead letters"),
    "dlq peek": (DONE, "0 dead letters"),
    "dlq replay": (DONE, "0 dead letters sent back"),
    "dlq edit": (FAILED, "no dead letter a is available"),
    "dlq save": (DONE, "0 dead letters written to none.jsonl"),
    "dlq purge": (DONE, "0 dead letters deleted"),
    "logs": (DONE, "no lines in the last 1h"),
}
"""The exit code of each command while Postgres is away, and what it says."""


class WorkingTarget(KnownTarget):
    """A target whose functions run, while its Postgres is away."""

    variables = MappingProxyType({**KnownTarget.variables, "LISTENERS": "anna,me"})

    @cached_property
    def outputs(self):
        return {**super().outputs, "HealerFunction": "healer", "DeriveFunction": "derive"}

    def get_function_configuration(self, FunctionName):
        group = {"LogGroup": f"/spotify-pipeline/{FunctionName}"}
        return {"Environment": {"Variables": self.variables}, "LoggingConfig": group}

    def call(self, name, _event):
        origin = "polls/me/now.json.gz"
        answers = {
            "Collector": Outcome(listener="me", status="polled", new=2, origin=origin, batches=1),
            "Healer": Healing(),
            "Derive": Derived(error=REFUSED),
        }
        return answers[name].model_dump_json()


@pytest.fixture
def away(target, command, monkeypatch, tmp_path):
    """Return a stack whose functions run, while its Postgres is away."""
    # The file that `upload` sends, and the folder where `dlq save` writes.
    (tmp_path / "package.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    # `plays login` would ask for the id of an app in the terminal of these tests.
    monkeypatch.setattr(TerminalInput, "read", lambda terminal: setattr(terminal, "is_open", False))
    state = a_cloud_state(page_url=PAGE) if command == "dashboard" else None
    return lambda: WorkingTarget("aws", "SpotifyPipeline", target.session, state)


@pytest.mark.usefixtures("listeners")
@pytest.mark.parametrize("command", WITH_TARGET)
def test_while_postgres_is_away_each_command_works_or_prints_the_reason(away, command):
    code, said = AWAY[command]

    result = run(f"{command} {WITH_TARGET[command]}", away)

    assert result.exit_code == code
    assert said in " ".join((result.stdout + result.stderr).split())
    assert not LIBRARY.search(result.stderr)
    if code == FAILED:
        assert result.stdout == ""
        assert re.fullmatch("(?s:.*)plays: [^\n]*\n", result.stderr)


@pytest.mark.usefixtures("listeners")
@pytest.mark.parametrize("command", WITH_TARGET)
def test_while_postgres_is_away_option_json_prints_one_document(away, command):
    result = run(f"{command} {WITH_TARGET[command]} --json", away)

    assert result.exit_code == AWAY[command][0]
    assert document(result)


def test_option_version_prints_the_version():
    assert re.fullmatch(r"plays \d+\.\d+\.\d+\n", run("--version").stdout)
