"""A machine to run the host's scripts on: real Postgres, OpenSSL and files; AWS and systemd faked.

Everything lies below one folder. Files of the root disk (scripts, /etc) are lost with the instance;
the data volume and AWS outlive it.
"""

import json
import os
import shutil
import ssl
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pg8000.native

from shared.postgres import Address, Database

SCRIPTS = Path(__file__).parents[2] / "infra" / "cdk" / "assets" / "postgres"
FAKES = Path(__file__).parent / "fakes"
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
NAME = "ec2-203-0-113-7.eu-west-1.compute.amazonaws.com"
CA = "/spotify-pipeline/database/ca-pem"
LOGIN = "/spotify-pipeline/database/{}"
ROLES = ("migrator", "loader", "reader", "report_reader")
ELSEWHERE = "127.0.0.9"
"""An address that is neither a function's nor the host's."""

FACTS = {
    "AWS_DEFAULT_REGION": "eu-west-1",
    "VOLUME_ID": "vol-0123",
    "EIP_ALLOCATION_ID": "eipalloc-0123",
    "DB_HOST": NAME,
    "DB_NAME": "spotify",
    "MIGRATOR_PARAMETER": LOGIN.format("migrator"),
    "LOADER_PARAMETER": LOGIN.format("loader"),
    "READER_PARAMETER": LOGIN.format("reader"),
    "REPORT_READER_PARAMETER": LOGIN.format("report_reader"),
    "CA_PARAMETER": CA,
    "APP_CIDRS": "10.42.2.0/24,127.0.0.1/32",
    "DATA_STUDIO_CIDRS": "",
    "BACKUP_BUCKET": "backups",
    "BACKUP_PREFIX": "dumps/",
    "METRIC_NAMESPACE": "SpotifyPipeline",
    "CPU_CREDITS": "standard",
}


class Machine:
    """A simulated database host: a sequence of EC2 instances that share one data volume."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.home = root / "pgsql"
        self.cloud = root / "cloud"
        self.volume = self.cloud / "volume"
        self.log = root / "run" / "log"
        self.console = root / "run" / "console"
        self.facts = FACTS | {"PG_MAJOR": DEBIAN[-1].parent.name}
        for folder in ("parameters", "refuse", "hang", "s3", "parts", "mounted", "../run"):
            (self.cloud / folder).mkdir(parents=True)
            # Some scripts run as user postgres.
            (self.cloud / folder).chmod(0o777)
        (root / "run" / "pg-check").mkdir()
        (self.cloud / "calls").touch()
        (self.cloud / "calls").chmod(0o666)
        self.volume.touch()
        os.truncate(self.volume, 16 * 2**20)
        self._launch()

    def _launch(self) -> None:
        shutil.copytree(SCRIPTS, self.root / "opt")
        shutil.copytree(FAKES, self.root / "bin")
        for folder in ("etc/systemd/system", "devices", "pg-bin", "pgsql"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "etc" / "fstab").touch()
        for program in DEBIAN[-1].iterdir():
            (self.root / "pg-bin" / program.name).symlink_to(program)
        # Waiting for the disk after each file would dominate the time of these tests.
        self.fake("initdb", f'exec {DEBIAN[-1]}/initdb --no-sync "$@"')

    def replace_instance(self) -> None:
        """Replace the instance as its Auto Scaling group does: only the volume and AWS stay."""
        self.stop()
        self.home.unlink()
        for folder in ("opt", "bin", "etc", "devices", "pg-bin"):
            shutil.rmtree(self.root / folder)
        self._launch()

    def put_password(self, role: str, password: str) -> None:
        """Write a login with a password to the SSM parameter of a role."""
        login = {"username": role, "password": password, "dbname": "spotify", "port": 5432}
        self.put_login(role, json.dumps(login))

    def put_login(self, role: str, text: str) -> None:
        file = self.parameter(LOGIN.format(role))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def password(self, role: str) -> str:
        return json.loads(self.parameter(LOGIN.format(role)).read_text())["password"]

    def parameter(self, name: str) -> Path:
        """Return the file that holds the value of a faked SSM parameter."""
        return self.cloud / "parameters" / name.lstrip("/")

    def refuse(self, call: str) -> None:
        """Make the next call of the AWS CLI named `call`, such as `s3-cp`, fail."""
        (self.cloud / "refuse" / call).touch()

    def hang(self, call: str) -> None:
        """Make the next call of the AWS CLI named `call`, such as `s3-cp`, hang."""
        (self.cloud / "hang" / call).touch()

    def fake(self, program: str, text: str) -> None:
        """Replace a program of Postgres or of the system by a shell script."""
        folder = "pg-bin" if (DEBIAN[-1] / program).exists() else "bin"
        path = self.root / folder / program
        path.unlink(missing_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    def change(self, script: str, old: str, new: str) -> None:
        """Replace a text in one of the host's scripts, on this instance only."""
        path = self.root / "opt" / script
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self, script: str, *words: str, user: str = "root") -> str:
        """Run a script as cfn-init, systemd or the owner would; return its output."""
        done = self.attempt(script, *words, user=user)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, script: str, *words: str, user: str = "root") -> Any:
        """Run a script that may fail; return its exit code and output."""
        env = self.root / "opt" / "env"
        env.write_text("".join(f"{name}={value}\n" for name, value in self.facts.items()))
        return subprocess.run(
            ["runuser", "-u", user, "--", str(self.root / "opt" / script), *words],
            env=self._environment,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def _environment(self) -> dict[str, str]:
        path = [str(self.root / "bin"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return {
            # This Python is the fallback on a machine without one in /usr/bin.
            "PATH": ":".join([*path, f"{sys.base_prefix}/bin"]),
            "CLOUD": str(self.cloud),
            "DEVICES": str(self.root / "devices"),
            "ETC": str(self.root / "etc"),
            "PG_HOME": str(self.home),
            "PG_BIN": str(self.root / "pg-bin"),
            "PGHOST": str(self.root / "run"),
            "PGPORT": str(self.port),
            "SERVER_LOG": str(self.log),
            "RETRY_PAUSE_S": "0",
            "CONSOLE": str(self.console),
            "RUNTIME_DIRECTORY": str(self.root / "run" / "pg-check"),
        }

    def stop(self) -> None:
        """Stop the server, as a terminated instance does."""
        data = self.home / "data"
        if (data / "postmaster.pid").exists():
            program = self.root / "pg-bin" / "pg_ctl"
            command: list[str | Path] = ["runuser", "-u", "postgres", "--", program]
            command += ["-D", data, "-m", "fast", "stop"]
            subprocess.run(
                command, env=self._environment, check=True, capture_output=True, cwd=self.root
            )

    @property
    def calls(self) -> list[str]:
        """The calls to AWS, systemd and the package manager."""
        return (self.cloud / "calls").read_text().splitlines()

    @property
    def ca(self) -> str:
        """The certificate of the host's CA, as published in its SSM parameter."""
        return self.parameter(CA).read_text()

    @property
    def backups(self) -> list[Path]:
        return sorted(path for path in (self.cloud / "s3").rglob("*") if path.is_file())

    def address(self, role: str, **changes: Any) -> Address:
        """Return the database address that a function uses; `via` is the socket in place of DNS."""
        known: dict[str, Any] = {
            "host": NAME,
            "port": 5432,
            "database": "spotify",
            "username": role,
            "password": self.password(role),
            "ca_pem": self.ca,
            "via": ("127.0.0.1", self.port),
        }
        return Address(**(known | changes))

    @contextmanager
    def connected(self, role: str, **changes: Any) -> Iterator[Database]:
        """Connect to the database as a function does."""
        database = Database.connect(self.address(role, **changes))
        try:
            yield database
        finally:
            database.close()

    def ask(self, role: str, statement: str = "SELECT 1", **changes: Any) -> list[Any]:
        """Connect as a function does; return the rows of one statement."""
        with self.connected(role, **changes) as database:
            return database.run(statement)

    def ask_from_elsewhere(
        self, role: str, context: ssl.SSLContext | None, password: str = ""
    ) -> list[Any]:
        """Connect from an address that Data Studio could have; return the current user."""
        with _closing_sockets(context):
            connection = pg8000.native.Connection(
                role,
                host="127.0.0.1",
                port=self.port,
                source_address=(ELSEWHERE, 0),
                database="spotify",
                password=password or self.password(role),
                ssl_context=context,
            )
            try:
                return connection.run("SELECT current_user::text")
            finally:
                connection.close()

    def sql(self, statement: str, database: str = "spotify") -> str:
        """Run a statement as superuser."""
        program = self.root / "pg-bin" / "psql"
        command = ["runuser", "-u", "postgres", "--", str(program), "-XAtqd", database]
        command += ["-c", statement]
        return subprocess.run(
            command,
            env=self._environment,
            cwd=self.root,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def state(self) -> dict[str, Any]:
        """Return all that a second boot could change: files, roles, rights, the server's start."""
        roots = [self.root / "etc", self.home / "tls", self.home / "data" / "conf.d"]
        files = [path for root in roots for path in root.rglob("*") if path.is_file()]
        files += (self.home / "data").glob("*.conf")
        questions = {
            "roles": "SELECT to_jsonb(r) FROM pg_authid r ORDER BY rolname",
            "settings": "SELECT to_jsonb(s) FROM pg_db_role_setting s ORDER BY setrole",
            "rights": "SELECT to_jsonb(d) - 'datfrozenxid' FROM pg_database d ORDER BY datname",
            "started": "SELECT pg_postmaster_start_time()",
        }
        return {
            **{str(path): _known(path) for path in files},
            **{name: self.sql(question) for name, question in questions.items()},
            "ca": self.ca,
            "volume": self.volume.read_bytes(),
        }


def _known(path: Path) -> tuple[Any, ...]:
    found = path.stat()
    return path.read_text(), stat.filemode(found.st_mode), path.owner(), found.st_mtime_ns


def missing() -> str:
    """Return what this machine lacks to run these tests; empty if it lacks nothing."""
    if not DEBIAN or not (DEBIAN[-1] / "initdb").exists():
        return "needs Postgres's server: apt-get install postgresql"
    if not shutil.which("openssl"):
        return "needs openssl: apt-get install openssl"
    if os.geteuid() != 0:
        return "needs root: the scripts set up files and a server of other users"
    return ""


@contextmanager
def _closing_sockets(context: ssl.SSLContext | None) -> Iterator[None]:
    """Close the TLS sockets, because pg8000 leaves some open after a refusal."""
    opened: list[ssl.SSLSocket] = []

    class Noted(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - as in ssl
            opened.append(self)
            super().do_handshake(block)

    if context is not None:
        context.sslsocket_class = Noted
    try:
        yield
    finally:
        for each in opened:
            each.close()
