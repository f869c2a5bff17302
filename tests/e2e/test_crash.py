"""AWS is killed in the middle of an upload: the next run begins the upload again."""

import os
import signal
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.deploy import COMMAND
from infra.local.pidfile import holder
from infra.local.sample_history import write_history_zip
from infra.local.state import SUPERVISOR
from tests.e2e.conftest import LocalCloud, remember_ports

pytestmark = pytest.mark.e2e

STOP_S = 30
LOADED_S = 60


@pytest.fixture
def crashing():
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    # Postgres runs as a user of its own, whom pytest's own folders would not let in.
    with tempfile.TemporaryDirectory(prefix="plays-", ignore_cleanup_errors=True) as folder:
        local = LocalCloud(Path(folder) / "home")
        remember_ports(local.home)
        local.told("local", "up", "--detach", "--empty")
        yield local
        local.plays("local", "reset")


def test_an_upload_that_a_crash_made_aws_forget_is_loaded_by_the_next_run(
    crashing, tmp_path, eventually
):
    path = tmp_path / "my_spotify_data.zip"
    summary = write_history_zip(path, plays=50_000, seed=8, until=datetime(2024, 5, 1, tzinfo=UTC))
    crashing.told("upload", str(path))
    eventually(lambda: crashing.count("me") > 0, STOP_S)
    os.kill(holder(crashing.home / "ministack.pid"), signal.SIGKILL)
    eventually(lambda: holder(crashing.home / SUPERVISOR) is None, STOP_S)

    crashing.told("local", "up", "--detach", "--empty")

    assert crashing.count("me") < summary.distinct_plays
    eventually(lambda: crashing.count("me") == summary.distinct_plays, LOADED_S)
    queues = crashing.told("status")["queues"]
    assert {
        name for name, depth in queues.items() if depth["visible"] + depth["in_flight"]
    } == set()
