"""The servers of a local cloud, as one home has them."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from infra.local.environment import clean
from infra.local.memory import Memory
from infra.local.ministack import SAVE_S, MiniStack
from infra.local.ports import Ports, answers
from infra.local.postgres import STOP_TIMEOUT_S, Passwords, PostgresServer
from infra.local.processes import KILLED_S, POLL_S, Child
from infra.local.state import REPOSITORY, LocalCloudError

SIMULATORS_S = 20
SIMULATORS_STOP_S = 10
STOP_S = 2 * KILLED_S + SAVE_S + KILLED_S + SIMULATORS_STOP_S + KILLED_S + STOP_TIMEOUT_S
"""How long all may take to stop, one after the other."""


class Parts:
    """MiniStack, Postgres and the simulators.

    Postgres runs on its own, so that any process can stop and start it; while that is meant,
    the file `postgres.stopped` says so.
    """

    def __init__(self, home: Path) -> None:
        home = home.resolve()
        self.ministack = MiniStack(home)
        self._simulators = Child("simulators", home, SIMULATORS_STOP_S)
        # One that outlived its supervisor: it would go on deploying.
        self._deployment = Child("cdk", home, KILLED_S)
        self.postgres = PostgresServer(home / "postgres")
        self._stopped = home / "postgres.stopped"

    def start(self, memory: Memory, *, simulators: bool) -> None:
        """Start the servers; all of them serve when this returns.

        Raises:
            LocalCloudError: One does not start.
        """
        self._stopped.unlink(missing_ok=True)
        self.ministack.start(memory.ports.aws, memory.access_key)
        if simulators:
            self._start_simulators(memory.ports)
        self.start_postgres(memory)
        self.ministack.wait_until_ready()
        if simulators:
            self._wait_for_simulators(memory.ports)

    @property
    def are_running(self) -> bool:
        """Whether any of it runs, also what an earlier run left behind."""
        children = (self.ministack.child, self._simulators, self._deployment)
        return any(child.is_running for child in children) or self.postgres.is_running()

    @property
    def is_deploying(self) -> bool:
        """Whether a deployment goes on that an earlier run left behind."""
        return self._deployment.is_running

    def stop(self, *, discard_change: bool = False) -> None:
        """Stop the servers, also those that a crash left behind; data stays.

        Args:
            discard_change: Let AWS go on the next time from its last clean stop.

        Raises:
            LocalCloudError: One does not stop; the others were asked all the same.
        """
        with ExitStack() as last_first:
            last_first.callback(self.postgres.stop)
            last_first.callback(self._simulators.stop)
            last_first.callback(self.ministack.child.stop, at_once=discard_change)
            last_first.callback(self._deployment.stop)

    def start_postgres(self, memory: Memory) -> None:
        """Start Postgres where it was.

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
        """Stop Postgres alone, on purpose: the local cloud goes on without."""
        self._stopped.touch()
        self.postgres.stop()

    def failures(self) -> Iterator[str]:
        """Tell what has ended though nobody asked it to."""
        for child in (self.ministack.child, self._simulators):
            if child.exit_code is not None:
                yield f"{child.title} ended with exit code {child.exit_code}: see {child.log}"
        if not self._stopped.exists() and not self.postgres.is_running():
            yield f"postgres ended: see {self.postgres.log}"

    def _start_simulators(self, ports: Ports) -> None:
        options = (
            *("--spotify-port", str(ports.spotify)),
            *("--reccobeats-port", str(ports.reccobeats)),
        )
        self._simulators.start(
            [sys.executable, "-m", "infra.local.simulators", *options],
            clean() | {"PYTHONPATH": str(REPOSITORY)},
        )

    def _wait_for_simulators(self, ports: Ports) -> None:
        deadline = time.monotonic() + SIMULATORS_S
        while not (answers(ports.spotify) and answers(ports.reccobeats)):
            if self._simulators.exit_code is not None or time.monotonic() > deadline:
                raise LocalCloudError(f"the simulators do not start: see {self._simulators.log}")
            time.sleep(POLL_S)
