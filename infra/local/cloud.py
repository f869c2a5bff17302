"""The local cloud, for the command line and the tests: up, down, reset, and Postgres by itself."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from infra.local import consumers, parts, supervisor, turn
from infra.local.data import INGESTED, delete
from infra.local.deploy import PID_FILE as CDK
from infra.local.deploy import TIMEOUT_S
from infra.local.ending import end
from infra.local.environment import clean
from infra.local.memory import FILE as MEMORY
from infra.local.memory import Memory
from infra.local.parts import Parts
from infra.local.pidfile import holder
from infra.local.ports import Ports
from infra.local.postgres import START_TIMEOUT_S
from infra.local.processes import POLL_S, wait_for_end, wait_for_exit
from infra.local.state import FILE, REPOSITORY, SUPERVISOR, CloudState, LocalCloudError
from infra.local.time_zone import machine_zone
from infra.local.wishes import Wishes, configuration

STOP_S = START_TIMEOUT_S + TIMEOUT_S + consumers.PATIENCE_S + parts.STOP_S + 10
"""Longer than a start of Postgres and a change of the deployment, which are not cut off, what is in
work, and a stop of all."""

TURN_S = 600
"""Time limit of a turn to the real Spotify, which takes half a minute on two cores."""

HEARD_S = 0.5
"""How long a request to stop takes to be heard, so that another one hurries the stop."""

DATA = (
    *INGESTED,
    *("logs", "cdk", "cdk.out", FILE, MEMORY, turn.FILE),
    # A write that was cut off leaves them.
    *(f"{name}.new" for name in (FILE, MEMORY, turn.FILE)),
    *("ministack.pid", "simulators.pid", "page.pid", CDK, SUPERVISOR),
)
"""All that a home may hold. Nothing else in it is ours to delete."""

_background: list[subprocess.Popen[bytes]] = []
"""Local clouds that this process started and left running."""


def up(
    home: Path,
    *,
    empty: bool,
    detach: bool,
    say: Callable[[str], None],
    spotify_api_url: str | None = None,
    spotify_accounts_url: str | None = None,
    reccobeats_url: str | None = None,
    context: Mapping[str, str] | None = None,
) -> None:
    """Start a local cloud on the data of a home.

    Args:
        home: Folder that keeps everything; made where there is none.
        empty: Ingest nothing by itself.
        detach: Return once it is ready, and leave it running. Otherwise it runs in this process
            until SIGINT or SIGTERM, and is stopped when this returns.
        say: Told of the progress, a line at a time.
        spotify_api_url: In place of the simulator.
        spotify_accounts_url: In place of the simulator.
        reccobeats_url: In place of the simulator.
        context: Further configuration of the deployment, as `cdk -c` takes it.

    Raises:
        LocalCloudError: One runs in this home already, or it does not start, or a part of it ended.
        SettingsError: The configuration is wrong.
    """
    wishes = Wishes(
        empty=empty,
        spotify_api_url=spotify_api_url,
        spotify_accounts_url=spotify_accounts_url,
        reccobeats_url=reccobeats_url,
        context=dict(context or {}),
        time_zone=machine_zone(),
    )
    # A wrong setting is told before anything starts.
    configuration(wishes.deployment(Ports()))
    # Processes with other working directories are told of it.
    home = home.resolve()
    if detach:
        _detach(home, wishes, say)
    else:
        supervisor.run(home, wishes, say)


def down(home: Path, say: Callable[[str], None], *, hurry: bool = False) -> bool:
    """Stop the local cloud of a home, or what a crash left of it; tell whether one was running.

    Args:
        home: Its folder.
        say: Told what is waited for, or cut off.
        hurry: Do not wait for what it has in work.

    Raises:
        LocalCloudError: It does not stop.
    """
    pid = holder(home / SUPERVISOR)
    if pid is None:
        return _stop_leftovers(home, say, hurry=hurry)
    with _log_of(home).open("rb") if _log_of(home).exists() else BytesIO() as lines:
        lines.seek(0, os.SEEK_END)
        os.kill(pid, signal.SIGTERM)
        if hurry and not wait_for_end(home / SUPERVISOR, HEARD_S):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while not wait_for_end(home / SUPERVISOR, POLL_S):
            _pass_on(lines, say)
            if time.monotonic() > deadline:
                raise _does_not_stop(home, pid)
        _pass_on(lines, say)
    # It lets go of the file a moment before it ends.
    wait_for_exit(pid)
    # What it could not stop; nothing else, as a rule.
    Parts(home).stop()
    return True


def reset(home: Path) -> bool:
    """Delete all data, passwords and logins of a local cloud; tell whether it was running.

    Raises:
        LocalCloudError: It does not stop.
    """
    was_running = down(home, lambda _: None, hurry=True)
    delete(home, DATA)
    # Unless somebody else keeps things there.
    with suppress(OSError):
        home.rmdir()
    return was_running


def turn_to_real_spotify(home: Path, *, start_over: bool) -> None:
    """Let a running local cloud poll the real Spotify from now on, until it is reset.

    It starts anew meanwhile: all its addresses stay, but not its stack if it starts over.

    Args:
        home: Folder of the local cloud.
        start_over: Delete all plays and logins that it holds.

    Raises:
        LocalCloudError: No local cloud runs there, it ended over it, or takes too long.
    """
    CloudState.load(home)
    turn.ask_for(home, start_over=start_over)
    deadline = time.monotonic() + TURN_S
    while turn.is_asked_for(home) or not (home / FILE).exists():
        if holder(home / SUPERVISOR) is None:
            raise _does_not_turn(
                home, "it ended", "`make run` finishes this", start_over=start_over
            )
        if time.monotonic() > deadline:
            why = f"it is not ready after {TURN_S} s"
            remedy = "Stop it with `plays local down`, then `make run` finishes this"
            raise _does_not_turn(home, why, remedy, start_over=start_over)
        time.sleep(POLL_S)


def _does_not_turn(home: Path, why: str, remedy: str, *, start_over: bool) -> LocalCloudError:
    deletes = " (it deletes all that is in this local cloud)" if start_over else ""
    return LocalCloudError(
        f"the local cloud did not come to poll the real Spotify: {why}, see {home / 'logs'}. "
        f"{remedy}{deletes}; then run `plays login` again"
    )


def stop_postgres(home: Path) -> None:
    """Stop Postgres alone, from any process: the rest goes on and meets its absence."""
    CloudState.load(home)
    Parts(home).stop_postgres()


def start_postgres(home: Path) -> None:
    """Start Postgres again where it was.

    Raises:
        LocalCloudError: No local cloud runs there, or Postgres does not start.
    """
    CloudState.load(home)
    Parts(home).start_postgres(Memory.load(home))


def _stop_leftovers(home: Path, say: Callable[[str], None], *, hurry: bool) -> bool:
    """Stop what a killed supervisor left; tell whether anything was running."""
    left = Parts(home)
    is_left = left.are_running
    end(
        home,
        left,
        Memory.load(home),
        say,
        is_feeding=left.ministack.child.is_running and not hurry,
        is_changing=left.is_deploying,
    )
    (home / FILE).unlink(missing_ok=True)
    return is_left


def _log_of(home: Path) -> Path:
    """Tell where a supervisor in the background says what it says."""
    return home / "logs" / "supervisor.log"


def _pass_on(lines: BinaryIO, say: Callable[[str], None]) -> None:
    for line in lines.read().decode(errors="replace").splitlines():
        say(line)


def _detach(home: Path, wishes: Wishes, say: Callable[[str], None]) -> None:
    if holder(home / SUPERVISOR) is not None:
        raise supervisor.already_running(home)
    path = _log_of(home)
    # Parents that mkdir makes on the way would be open to others.
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    command = [sys.executable, "-m", "infra.local.supervisor"]
    with path.open("wb") as log, path.open("rb") as lines:
        process = subprocess.Popen(  # noqa: S603 - the command is ours
            [*command, str(home), wishes.model_dump_json()],
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
    """Pass on what the supervisor says until it is ready."""
    ready = False
    while not ready:
        # Asked first: what is said by then is in the log.
        ready, ended = _is_ready(home, process.pid), process.poll() is not None
        _pass_on(lines, say)
        if ended:
            raise LocalCloudError(f"the local cloud did not start: see {home / 'logs'}")
        time.sleep(POLL_S)


def _is_ready(home: Path, pid: int) -> bool:
    try:
        return CloudState.load(home).pid == pid
    except LocalCloudError:
        return False


def _does_not_stop(home: Path, pid: int) -> LocalCloudError:
    return LocalCloudError(f"the local cloud (pid {pid}) does not stop: see {home / 'logs'}")
