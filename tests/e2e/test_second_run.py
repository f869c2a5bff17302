"""Run, stop, crash, run again: nothing keeps running, nothing is lost, nothing is stored twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.main import STACK
from cli.target import choose
from infra.local.deploy import COMMAND
from infra.local.pidfile import holder
from infra.local.ports import HOST
from infra.local.sample_history import write_history_zip
from infra.local.state import FILE, REPOSITORY, SUPERVISOR, CloudState
from tests.e2e.conftest import remember_ports

# The story starts a cloud four times.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

PLAYS = [sys.executable, "-m", "cli"]
READY_S = 120
ARRIVAL_S = 10
STOP_S = 60
RESUMED_S = 60
"""Shorter than every visibility timeout."""
UPLOAD_S = "200"
"""Less than the time limit of a command, so that the command says what it waits for."""
INTERRUPTED, CRASHED = "anna", "otto"
UP = ("local", "up", "--empty", "-c", f"listeners=me,{INTERRUPTED},{CRASHED}")


@dataclass(frozen=True)
class Story:
    """The outcome of runs on one home: aborted, interrupted, crashed, and stopped."""

    distinct_plays: int
    busy_port: int
    aborted_output: str
    first_output: str
    first_port: int
    first_upload: dict[str, Any]
    first_exit: int
    left_running: list[str]
    second_port: int
    rows_before: int
    rows_after: int
    more_plays: int
    interrupted_at: int
    resumed: int
    second_upload: dict[str, Any]
    crashed_at: int
    after_crash_output: str
    rebuilt: dict[str, Any]
    verified: dict[str, Any]
    loaded_again: int
    open_to_others: list[str]
    second_left_running: list[str]


@pytest.fixture(scope="module")
def home():
    # Postgres may run as another user, who cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="plays-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        yield home
        plays(home, "local", "reset", "--yes")


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """A small export, and its number of plays."""
    path = tmp_path_factory.mktemp("history") / "my_spotify_data.zip"
    summary = write_history_zip(path, plays=300, seed=5, until=datetime(2024, 5, 1, tzinfo=UTC))
    return path, summary.distinct_plays


@pytest.fixture(scope="module")
def long_history(tmp_path_factory):
    """An export that takes some seconds, and its number of plays."""
    path = tmp_path_factory.mktemp("history") / "long.zip"
    summary = write_history_zip(path, plays=50_000, seed=6, until=datetime(2024, 5, 1, tzinfo=UTC))
    return path, summary.distinct_plays


@pytest.fixture(scope="module")
def busy_port(home):
    """The port of the AWS emulator, used by another process."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        remember_ports(home, aws=port)
        yield port


@pytest.fixture(scope="module")
def story(home, history, long_history, busy_port, eventually):
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    path, distinct_plays = history
    long_path, more_plays = long_history
    with in_the_foreground(home) as process:
        eventually(lambda: "cdk deploy" in output_of(home).read_text(), READY_S)
        process.send_signal(signal.SIGINT)
        process.wait(STOP_S)
        aborted_output = output_of(home).read_text()
        left_running = processes_of(home)
    with in_the_foreground(home) as process:
        eventually(lambda: (home / FILE).exists() or process.poll() is not None, READY_S)
        first_port = port_of_aws(home)
        first_upload = uploaded(home, path)
        rows_before = rows(home)
        eventually(lambda: f"{rows_before:,} plays" in output_of(home).read_text(), ARRIVAL_S)
        plays(home, "upload", str(long_path), "--listener", INTERRUPTED)
        eventually(lambda: rows(home, INTERRUPTED) > 0, ARRIVAL_S)
        interrupted_at = rows(home, INTERRUPTED)
        process.send_signal(signal.SIGINT)
        first_exit = process.wait(STOP_S)
        left_running += processes_of(home)
    with socket.create_server((HOST, first_port)):
        plays(home, *UP, "--detach")
    second_port = port_of_aws(home)
    rows_after = rows(home)
    eventually(lambda: rows(home, INTERRUPTED) >= more_plays, RESUMED_S)
    resumed = rows(home, INTERRUPTED)
    second_upload = uploaded(home, path)
    plays(home, "upload", str(long_path), "--listener", CRASHED)
    eventually(lambda: rows(home, CRASHED) > 0, ARRIVAL_S)
    ministack = holder(home / "ministack.pid")
    assert ministack is not None
    os.kill(ministack, signal.SIGKILL)
    eventually(lambda: holder(home / SUPERVISOR) is None, STOP_S)
    plays(home, *UP, "--detach")
    crashed_at = rows(home, CRASHED)
    after_crash_output = (home / "logs" / "supervisor.log").read_text()
    of_crashed = ("--listener", CRASHED, "--json")
    rebuilt = json.loads(plays(home, "rebuild", "--wait", "--timeout", UPLOAD_S, *of_crashed))
    verified = json.loads(plays(home, "verify", *of_crashed))
    loaded_again = rows(home, CRASHED)
    open_to_others = [path.name for path in home.iterdir() if path.stat().st_mode & 0o077]
    plays(home, "local", "down")
    return Story(
        distinct_plays=distinct_plays,
        busy_port=busy_port,
        aborted_output=aborted_output,
        first_output=output_of(home).read_text(),
        first_port=first_port,
        first_upload=first_upload,
        first_exit=first_exit,
        left_running=left_running,
        second_port=second_port,
        rows_before=rows_before,
        rows_after=rows_after,
        more_plays=more_plays,
        interrupted_at=interrupted_at,
        resumed=resumed,
        second_upload=second_upload,
        crashed_at=crashed_at,
        after_crash_output=after_crash_output,
        rebuilt=rebuilt,
        verified=verified,
        loaded_again=loaded_again,
        open_to_others=open_to_others,
        second_left_running=processes_of(home),
    )


@contextmanager
def in_the_foreground(home: Path):
    """Run `plays local up` as in a terminal, and write its output beside the home."""
    with output_of(home).open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [*PLAYS, *UP],
            cwd=REPOSITORY,
            env=environment(home),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(STOP_S)


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"PLAYS_LOCAL_DIR": str(home), "PLAYS_TARGET": "local"}


def plays(home: Path, *arguments: str) -> str:
    """Run a command, which must succeed, and return its output."""
    result = subprocess.run(  # noqa: S603 - the command is ours
        [*PLAYS, *arguments],
        cwd=REPOSITORY,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def uploaded(home: Path, path: Path, listener: str = "me") -> dict[str, Any]:
    options = ("--listener", listener, "--wait", "--timeout", UPLOAD_S, "--json")
    return json.loads(plays(home, "upload", str(path), *options))


def port_of_aws(home: Path) -> int:
    return int(CloudState.load(home).aws_endpoint.rpartition(":")[2])


def rows(home: Path, listener: str = "me") -> int:
    with choose("local", STACK, None, home).database() as database:
        ((count,),) = database.run(
            "SELECT count(*) FROM listening_history WHERE listener = :listener", listener=listener
        )
    return count


def output_of(home: Path) -> Path:
    return home.parent / "output"


def processes_of(home: Path) -> list[str]:
    """Return the processes whose command line contains the home."""
    commands = (" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"]))
    return [command for command in commands if str(home) in command]


def test_a_start_after_an_aborted_first_start_begins_from_scratch(story):
    assert "ready" not in story.aborted_output
    assert "cdk bootstrap" in story.first_output


def test_a_start_reports_a_busy_port_and_uses_another(story):
    assert f"port {story.busy_port} is busy: aws takes {story.first_port}" in story.aborted_output
    assert story.first_port != story.busy_port


def test_new_plays_are_printed_as_they_arrive(story):
    assert "ready: AWS at " in story.first_output
    assert f"{story.distinct_plays:,} plays, " in story.first_output


def test_ctrl_c_stops_everything_and_exits_with_0(story):
    assert story.first_exit == 0
    assert story.left_running == []
    assert story.first_output.splitlines()[-1].endswith("stopped")


def test_every_row_is_kept_by_the_next_run_of_the_local_cloud(story):
    assert story.rows_before == story.first_upload["inserted"] == story.distinct_plays
    assert story.rows_after == story.rows_before


def test_the_next_run_resumes_an_upload_that_ctrl_c_interrupted(story):
    assert 0 < story.interrupted_at < story.more_plays
    assert story.resumed == story.more_plays


def test_a_local_cloud_can_start_again_on_another_port(story):
    assert story.second_port not in (story.first_port, story.busy_port)
    assert story.resumed == story.more_plays


def test_uploading_the_same_history_again_adds_no_row(story):
    assert story.second_upload["reconciled"] is True
    assert story.second_upload["inserted"] == 0


def test_the_start_after_a_crash_says_how_to_send_the_archive_again(story):
    assert "`plays rebuild --wait`" in story.after_crash_output


def test_a_rebuild_after_a_crash_loads_the_upload_completely(story):
    assert 0 < story.crashed_at < story.more_plays
    assert (story.rebuilt["uploads"], story.rebuilt["loaded"]) == (1, True)
    assert story.loaded_again == story.more_plays
    assert (story.verified["plays"], story.verified["findings"]) == (story.more_plays, [])


def test_only_the_owner_can_read_the_files_of_a_home_directory(story):
    # For root, Postgres runs as another user, who must enter its folder.
    assert set(story.open_to_others) <= {"postgres"}


def test_local_down_leaves_no_process_running(story):
    assert story.second_left_running == []
