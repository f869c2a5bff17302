"""A separate local cloud, deployed by the real CDK and used through the command `plays`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from cli.main import STACK
from cli.target import Target, choose
from infra.local import cloud
from infra.local.deploy import COMMAND
from infra.local.memory import Memory
from infra.local.ports import HOST, Ports, any_free
from infra.local.simulators.server import CONTROL
from infra.local.state import REPOSITORY

# Two attempts a few seconds apart, so that a failing message soon becomes a dead letter.
CONFIGURATION = {
    "listeners": "me,anna,ben,dora,mixed,other,twice",
    "polling_enabled": "true",
    "enricher.timeout_s": "10",
    "enricher.visibility_s": "10",
    "enricher.window_s": "0",
    "enricher.max_receives": "2",
    "loader.timeout_s": "5",
    "loader.visibility_s": "5",
    "loader.max_receives": "2",
}


class LocalCloud:
    """A local cloud and its command."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def plays(self, *arguments: str, stdin: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command, which may fail; `stdin` may be the descriptor of a terminal."""
        installed = Path(sys.executable).with_name("plays")
        command = [str(installed)] if installed.exists() else [sys.executable, "-m", "cli"]
        return subprocess.run(  # noqa: S603 - the command is ours
            [*command, *arguments],
            cwd=REPOSITORY,
            env=os.environ | {"PLAYS_LOCAL_DIR": str(self.home), "PLAYS_TARGET": "local"},
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def run_json(self, *arguments: str) -> Any:
        """Run the command, which must succeed, and return its JSON.

        `plays status` exits with 1 or 2 if something needs a person, which tests bring about.
        """
        result = self.plays(*arguments, "--json")
        assert result.returncode == 0 or arguments[0] == "status", result.stderr
        return json.loads(result.stdout)

    @property
    def target(self) -> Target:
        return choose("local", STACK, None, self.home)

    def client(self, service: str) -> Any:
        return self.target.client(service)

    def output(self, key: str) -> str:
        return self.target.output(key)

    def rows(self, statement: str, **parameters: Any) -> list[Any]:
        with self.target.database() as database:
            return database.run(statement, **parameters)

    def count(self, listener: str) -> int:
        """Return the number of a listener's rows; fail if two rows are the same play."""
        ((rows, plays),) = self.rows(
            "SELECT count(*), count(DISTINCT (played_at, track_uri)) "
            "FROM listening_history WHERE listener = :listener",
            listener=listener,
        )
        assert rows == plays
        return int(rows)

    def blocked_calls(self) -> int:
        """Return the number of calls to Spotify's simulator during a rate limit."""
        answer = _control(Memory.load(self.home).ports.spotify, "blocked_calls")
        return int(answer["blocked_calls"])

    def feature_calls(self) -> int:
        """Return the number of calls to ReccoBeats' simulator so far."""
        answer = _control(Memory.load(self.home).ports.reccobeats, "requests")
        return sum(answer["counts"].values())

    def stop_postgres(self) -> None:
        cloud.stop_postgres(self.home)

    def start_postgres(self) -> None:
        cloud.start_postgres(self.home)


def remember_ports(home: Path, **wanted: int) -> None:
    """Choose free ports for a new home, except for the given ones.

    Tests run in parallel. Another test could take a default port while it is free for a moment:
    before a cloud listens on it, or after a test has stopped its Postgres.
    """
    home.mkdir(mode=0o700)
    ports = Ports(**{name: any_free() for name in Ports.model_fields} | wanted)
    Memory(ports=ports, deployed=False).save(home)


def _control(port: int, door: str) -> Any:
    """Request a control path of a simulator."""
    with urlopen(f"http://{HOST}:{port}{CONTROL}{door}", timeout=5) as answer:
        return json.load(answer)


@pytest.fixture(scope="session")
def local_cloud() -> Iterator[LocalCloud]:
    if not COMMAND.exists():
        pytest.skip("the CDK command line is not installed: run `make setup`")
    # Postgres may run as another user, who cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="plays-", ignore_cleanup_errors=True) as folder:
        local = LocalCloud(Path(folder) / "home")
        settings = [word for pair in CONFIGURATION.items() for word in ("-c", "=".join(pair))]
        remember_ports(local.home)
        try:
            local.run_json("local", "up", "--detach", "--empty", *settings)
            yield local
        finally:
            local.plays("local", "reset", "--yes")
