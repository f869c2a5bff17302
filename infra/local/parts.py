"""The servers of the local cloud in one home directory."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from infra.local import deploy, page
from infra.local.environment import clean
from infra.local.memory import FILE, Memory
from infra.local.ministack import STOP_S as MINISTACK_STOP_S
from infra.local.ministack import MiniStack
from infra.local.ports import Ports, answers
from infra.local.postgres import STOP_TIMEOUT_S, Passwords, PostgresServer
from infra.local.processes import KILLED_S, POLL_S, Child
from infra.local.state import REPOSITORY, LocalCloudError

START_S = 20
CHILD_STOP_S = 10
STOP_S = MINISTACK_STOP_S + 2 * CHILD_STOP_S + 5 * KILLED_S + STOP_TIMEOUT_S
"""Time limit for stopping all of them, one after the other."""


class Parts:
    """The servers of one local cloud: MiniStack, Postgres, the simulators and the web page.

    Any process can stop and start Postgres without the others. While Postgres is stopped on
    purpose, the file `postgres.stopped` exists.
    """

    def __init__(self, home: Path) -> None:
        home = home.resolve()
        self._home = home
        self.ministack = MiniStack(home)
        self._simulators = Child("simulators", home, CHILD_STOP_S)
        self._page = Child("page", home, CHILD_STOP_S)
        # Included because a deployment may outlive its supervisor.
        self._deployment = Child(deploy.PROCESS, home, KILLED_S)
        self.postgres = PostgresServer(home / "postgres")
        self._stopped = home / "postgres.stopped"

    def start(self, memory: Memory, *, simulators: bool) -> None:
        """Start the servers, and wait until all of them accept requests.

        Raises:
            LocalCloudError: A server does not start.
        """
        self._stopped.unlink(missing_ok=True)
        self.ministack.start(memory.ports.aws, memory.access_key)
        if simulators:
            self._start_simulators(memory.ports)
        self._start_page(memory)
        self.start_postgres(memory)
        self.ministack.wait_until_ready()
        if simulators:
            _wait(self._simulators, memory.ports.spotify, memory.ports.reccobeats)
        _wait(self._page, memory.ports.page)

    @property
    def are_running(self) -> bool:
        """True if any server runs, including one that an earlier run left behind."""
        children = (self.ministack.child, self._simulators, self._page, self._deployment)
        return any(child.is_running for child in children) or self.postgres.is_running()

    def stop(self) -> None:
        """Stop the servers, including those that a crash left behind; data stays.

        Raises:
            LocalCloudError: A server does not stop; the others have been stopped first.
        """
        with ExitStack() as last_first:
            last_first.callback(self.postgres.stop)
            last_first.callback(self._page.stop)
            last_first.callback(self._simulators.stop)
            last_first.callback(self.ministack.stop)
            last_first.callback(self._deployment.stop)

    def start_postgres(self, memory: Memory) -> None:
        """Start Postgres on its last port.

        Raises:
            LocalCloudError: It does not start.
        """
        passwords = Passwords(
            memory.migrator_password,
            memory.loader_password,
            memory.reader_password,
            memory.report_reader_password,
        )
        self.postgres.start(memory.ports.postgres, passwords)
        self._stopped.unlink(missing_ok=True)

    def stop_postgres(self) -> None:
        """Stop Postgres alone; the local cloud goes on without it."""
        self._stopped.touch()
        self.postgres.stop()

    def failures(self) -> Iterator[str]:
        """Yield a message for each server, except Postgres, that ended without being stopped."""
        for child in (self.ministack.child, self._simulators, self._page):
            if child.exit_code is not None:
                yield (
                    f"{child.title} ended with exit code {child.exit_code}: see its log {child.log}"
                )

    @property
    def has_postgres_ended(self) -> bool:
        """True if Postgres does not run although no command has stopped it."""
        return not self._stopped.exists() and not self.postgres.is_running()

    def _start_simulators(self, ports: Ports) -> None:
        options = (
            *("--spotify-port", str(ports.spotify)),
            *("--reccobeats-port", str(ports.reccobeats)),
        )
        self._simulators.start(
            [sys.executable, "-m", "infra.local.simulators", *options],
            clean() | {"PYTHONPATH": str(REPOSITORY)},
        )

    def _start_page(self, memory: Memory) -> None:
        """Start the server of the web page; without Postgres it answers with an error message."""
        source = page.Source(
            options=("--target", "local"), address=memory.database, memory=self._home / FILE
        )
        home = {"PLAYS_LOCAL_DIR": str(self._home)}
        self._page.start(
            page.command("--port", str(memory.ports.page)),
            page.environment(source, clean() | home),
        )


def _wait(child: Child, *ports: int) -> None:
    """Wait until a child listens on its ports.

    Raises:
        LocalCloudError: The child ends, or takes longer than `START_S`.
    """
    deadline = time.monotonic() + START_S
    while not all(map(answers, ports)):
        if child.exit_code is not None or time.monotonic() > deadline:
            raise LocalCloudError(f"{child.title} did not start: see its log {child.log}")
        time.sleep(POLL_S)
