"""Start, stop and reset the local cloud, or its Postgres alone; for command line and tests."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from infra.local import parts, supervisor
from infra.local.environment import clean
from infra.local.memory import FILE as MEMORY
from infra.local.memory import INGESTED, Memory, delete
from infra.local.parts import Parts
from infra.local.pidfile import holder
from infra.local.ports import Ports
from infra.local.postgres import START_TIMEOUT_S
from infra.local.processes import POLL_S, new_log, wait_for_end, wait_for_exit
from infra.local.run_options import RunOptions, configuration
from infra.local.state import FILE, REPOSITORY, SUPERVISOR, CloudState, LocalCloudError

STOP_S = START_TIMEOUT_S + parts.STOP_S + 10
"""Longer than a start of Postgres, which is never interrupted, plus a stop of all servers."""

TURN_S = 600
"""Time limit of a restart, which takes half a minute on two cores."""

DATA = (
    *INGESTED,
    *("logs", "cdk", "cdk.out", FILE, MEMORY),
    # An interrupted write leaves these behind.
    *(f"{name}.new" for name in (FILE, MEMORY)),
    # Earlier releases wrote these.
    *("turn.json", "turn.json.new"),
    *("ministack.pid", "simulators.pid", "page.pid", "cdk.pid", SUPERVISOR),
)
"""All that a local cloud creates in its home directory; a reset deletes only these."""

_background: list[subprocess.Popen[bytes]] = []
"""Local clouds that this process started and left running."""


def up(home: Path, options: RunOptions, *, detach: bool, say: Callable[[str], None]) -> None:
    """Start a local cloud with the data in a home directory.

    Args:
        home: Folder that keeps everything; created if it does not exist.
        options: The options of this run.
        detach: Return once it is ready, and leave it running. Otherwise it runs in this process
            until SIGINT or SIGTERM, and is stopped when this returns.
        say: Receives the progress, a line at a time.

    Raises:
        LocalCloudError: A local cloud already runs in this home directory, it does not start, or
            one of its servers ended.
        SettingsError: The configuration is wrong.
    """
    # Reject a wrong setting before anything starts.
    configuration(options.deployment(Ports()))
    # Absolute, because processes with other working directories use the path.
    home = home.resolve()
    (_detach if detach else supervisor.run)(home, options, say)


def down(home: Path) -> bool:
    """Stop a local cloud and any servers that a crash left running; True if any were running.

    Raises:
        LocalCloudError: The local cloud does not stop.
    """
    pid = holder(home / SUPERVISOR)
    if pid is not None:
        os.kill(pid, signal.SIGTERM)
        if not wait_for_end(home / SUPERVISOR, STOP_S):
            raise _does_not_stop(home, pid)
        # The supervisor releases its pid file a moment before it ends.
        wait_for_exit(pid)
    servers = Parts(home)
    was_running = pid is not None or servers.are_running
    servers.stop()
    (home / FILE).unlink(missing_ok=True)
    return was_running


def reset(home: Path) -> bool:
    """Stop a local cloud and delete all its data, passwords and logins; True if it was running.

    Raises:
        LocalCloudError: The local cloud does not stop.
    """
    was_running = down(home)
    delete(home, DATA)
    # The home stays if it contains other files.
    with suppress(OSError):
        home.rmdir()
    return was_running


def turn_to_real_spotify(home: Path, *, start_over: bool) -> None:
    """Restart a running local cloud so that it polls the real Spotify until it is reset.

    Its addresses stay the same.

    Args:
        home: The home directory of the local cloud.
        start_over: Delete all its plays, logins and stacks first, and deploy anew.

    Raises:
        LocalCloudError: No local cloud runs there, it ended during the restart, or takes too long.
    """
    changes = {"real_spotify": True} | ({"deployed": False} if start_over else {})
    deletes = " (and deletes all plays and logins in it)" if start_over else ""
    _restart(
        home,
        changes,
        "the local cloud does not poll the real Spotify yet",
        f"starts it{deletes}; then run `plays login` again",
    )


def change_listeners(home: Path, listeners: Sequence[str]) -> None:
    """Restart a running local cloud with other listeners, which it keeps until it is reset.

    Args:
        home: The home directory of the local cloud.
        listeners: All listeners from now on, not only the new ones.

    Raises:
        LocalCloudError: No local cloud runs there, it ended during the restart, or takes too long.
        SettingsError: The configuration does not allow these listeners.
    """
    options = RunOptions(context={"listeners": ",".join(listeners)})
    configuration(options.deployment(Ports()))
    _restart(
        home,
        {"listeners": tuple(listeners)},
        "the listeners are not deployed yet",
        "starts it, with them",
    )


def _restart(home: Path, changes: Mapping[str, object], failure: str, remedy: str) -> None:
    """Change the stored settings of a running local cloud, and wait until it has restarted.

    Args:
        home: The home directory of the local cloud.
        changes: The fields of `Memory` to change, with their new values.
        failure: The start of the error message if the restart fails.
        remedy: The end of that message: what `make run` does.

    Raises:
        LocalCloudError: No local cloud runs there, it ended during the restart, or takes too long.
    """
    CloudState.load(home)
    Memory.load(home).model_copy(update=changes).save(home)
    # The supervisor restarts the cloud once the state file is gone, and writes it again when ready.
    (home / FILE).unlink()
    deadline = time.monotonic() + TURN_S
    while not (home / FILE).exists():
        logs = f"see the logs in {home / 'logs'}"
        if holder(home / SUPERVISOR) is None:
            raise LocalCloudError(
                f"{failure}: the local cloud ended during its restart, {logs}. `make run` {remedy}"
            )
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"{failure}: the restart is not complete after {TURN_S} s, {logs}. Stop the local "
                f"cloud with `plays local down`, then `make run` {remedy}"
            )
        time.sleep(POLL_S)


def stop_postgres(home: Path) -> None:
    """Stop only the Postgres of a running local cloud; its other servers keep running.

    Raises:
        LocalCloudError: No local cloud runs there, or Postgres does not stop.
    """
    CloudState.load(home)
    Parts(home).stop_postgres()


def start_postgres(home: Path) -> None:
    """Start Postgres again on the same port.

    Raises:
        LocalCloudError: No local cloud runs there, or Postgres does not start.
    """
    CloudState.load(home)
    Parts(home).start_postgres(Memory.load(home))


def _pass_on(lines: BinaryIO, say: Callable[[str], None]) -> None:
    for line in lines.read().decode(errors="replace").splitlines():
        say(line)


def _detach(home: Path, options: RunOptions, say: Callable[[str], None]) -> None:
    if holder(home / SUPERVISOR) is not None:
        raise supervisor.already_running(home)
    path = home / "logs" / "supervisor.log"
    # Create the home explicitly, because parents that mkdir creates are open to other users.
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "infra.local.supervisor"]
    with new_log(path) as log, path.open("rb") as lines:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [*command, str(home), options.model_dump_json()],
            cwd=REPOSITORY,
            env=clean(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _follow(process, home, lines, say)
        except KeyboardInterrupt:
            process.terminate()
            if not wait_for_end(home / SUPERVISOR, STOP_S):
                raise _does_not_stop(home, process.pid) from None
            process.wait()
            raise
    _background.append(process)


def _follow(
    process: subprocess.Popen[bytes], home: Path, lines: BinaryIO, say: Callable[[str], None]
) -> None:
    """Pass the supervisor's output to `say` until the local cloud is ready.

    Raises:
        LocalCloudError: The supervisor ended before.
    """
    ready = False
    while not ready:
        # Check before reading the log, so that no line of an ended supervisor is missed.
        ready, ended = _is_ready(home, process.pid), process.poll() is not None
        _pass_on(lines, say)
        if ended:
            raise LocalCloudError(f"the local cloud did not start: see the logs in {home / 'logs'}")
        time.sleep(POLL_S)


def _is_ready(home: Path, pid: int) -> bool:
    try:
        return CloudState.load(home).pid == pid
    except LocalCloudError:
        return False


def _does_not_stop(home: Path, pid: int) -> LocalCloudError:
    return LocalCloudError(
        f"the local cloud (pid {pid}) does not stop: see the logs in {home / 'logs'}"
    )
