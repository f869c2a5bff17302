"""A local cloud to break: its processes, its AWS, its database, and its command `plays`."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from hmac import digest
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pg8000.native
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.cdk.database import DATABASE
from infra.local.aws import session
from infra.local.ports import HOST, Ports, any_free
from infra.local.simulators.account import CLIENT_ID, CLIENT_SECRET
from infra.local.simulators.server import CONTROL
from infra.local.state import REPOSITORY
from tests.chaos.proxy import Proxy

NAME = "spotify-pipeline"

QUEUES = ("uploaded-files", "collected-plays", "enriched-plays")

TIMEOUT_S = 6
"""Usual timeout of a function: short, so that a message fails and comes back within seconds."""


def quick(timeout_s: int = TIMEOUT_S) -> dict[str, str]:
    """Return the options of a deployment in which a failed message soon comes back.

    Args:
        timeout_s: Timeout of the functions; a busy machine needs longer than `TIMEOUT_S`.
    """
    consumers = ("backfill", "enricher", "loader")
    return {
        "collector.timeout_s": str(2 * timeout_s),
        **{f"{name}.timeout_s": str(timeout_s) for name in consumers},
        **{f"{name}.visibility_s": str(timeout_s) for name in consumers},
        "enricher.window_s": "0",
        "enricher.max_receives": "3",
        "loader.max_receives": "3",
    }


LOST = "MiniStack ended without saving its queues"
"""What a start after a crash says."""

MOST_AT_ONCE = 8
COMMAND_S = 900
ANSWER_S = 60
STOP_S = 90
CALL = Config(connect_timeout=2, read_timeout=25, retries={"total_max_attempts": 1}, proxies={})
PATIENCE_S = 60
POLL_S = 0.1

Away = (BotoCoreError, ClientError, OSError)
"""What a call to AWS or a simulator raises while it is stopped."""


class World:
    """One local cloud in a home directory of its own, and a proxy in front of its Postgres.

    Args:
        home: Does not exist yet, or belongs to a running cloud that `attach` uses.
        listeners: The deployed listeners, one for each run.
        settings: Further options of the deployment.
    """

    def __init__(
        self, home: Path, listeners: Sequence[str], settings: dict[str, str] | None = None
    ) -> None:
        self.home = home
        self.unused = list(listeners)
        self.at_work: set[int] = set()
        """The seeds of the runs that are at work."""
        self.starts = 0
        self.crashes = 0
        options = {"listeners": ",".join(listeners)} | (quick() if settings is None else settings)
        self._options = [word for pair in options.items() for word in ("-c", "=".join(pair))]
        self.proxy = Proxy()
        self._locks: defaultdict[str, threading.RLock] = defaultdict(threading.RLock)
        self._places = threading.Semaphore(MOST_AT_ONCE)
        self.starting = threading.RLock()
        """Held while the cloud starts, so that one thread starts it and the others wait."""

    @contextmanager
    def admission(self, *, alone: bool) -> Iterator[None]:
        """Let a run work beside others, or alone."""
        with ExitStack() as admitted:
            with self._locks["admission"]:
                for _ in range(MOST_AT_ONCE if alone else 1):
                    admitted.enter_context(self._places)
            yield

    @contextmanager
    def turn(self, lock: str) -> Iterator[None]:
        """Wait until no other run breaks a part of the cloud, and keep the others waiting."""
        with self._locks[lock]:
            yield

    def replay(self) -> int:
        """Replay all dead letters, as a person would; return how many there were."""
        replayed = 0
        with self.turn("replay"):
            for queue in QUEUES:
                if depth := self.depth(queue, dead=True):
                    # It fails while another reader, such as a killed replay, holds the messages.
                    self.plays("dlq", "replay", queue)
                    replayed += depth
        return replayed

    def up(self) -> None:
        """Start the cloud, and lead its loader to Postgres through the proxy."""
        done = self.plays("local", "up", "--detach", "--empty", *self._options)
        if done.returncode:
            raise RuntimeError(f"the local cloud did not start: {done.stdout}{done.stderr}")
        self.starts += 1
        self.crashes += LOST in (self.home / "logs" / "supervisor.log").read_text()
        self.attach()

    def attach(self) -> None:
        """Lead the loader of the running cloud to Postgres through the proxy."""
        self.__dict__.pop("outputs", None)
        self.proxy.target = self.ports.postgres
        login = self.role("loader") | {"dbname": DATABASE, "port": self.proxy.port}
        self.aws("ssm").put_parameter(
            Name=f"/{NAME}/database/loader",
            Value=json.dumps(login),
            Type="SecureString",
            Overwrite=True,
        )

    def ensure_up(self) -> bool:
        """Start the cloud again if it has ended; return True if it had."""
        with self.starting:
            # It stops its servers for some seconds before it ends.
            eventually(lambda: self.is_up or self.pid("supervisor") is None, STOP_S)
            if self.is_up:
                return False
            self.up()
            return True

    def down(self) -> None:
        """Stop the cloud; its data stays."""
        self.plays("local", "down")

    def close(self) -> None:
        """Stop the cloud, delete its data, and close the proxy."""
        self.proxy.close()
        self.plays("local", "reset", "--yes")
        shutil.rmtree(self.home.parent, ignore_errors=True)

    @property
    def is_up(self) -> bool:
        """True if the supervisor runs and has written the state file."""
        return self.pid("supervisor") is not None and (self.home / "cloud.json").exists()

    def plays(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, which may fail."""
        return subprocess.run(  # noqa: S603 - the command is ours
            [*PLAYS, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def start_plays(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a command without waiting for it."""
        return subprocess.Popen(  # noqa: S603 - the command is ours
            [*PLAYS, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command for this cloud."""
        return os.environ | {"PLAYS_LOCAL_DIR": str(self.home), "PLAYS_TARGET": "local"}

    # Files of the home

    @property
    def memory(self) -> dict[str, Any]:
        """What the home keeps: ports, passwords, the key of the administrator."""
        return dict(json.loads((self.home / "memory.json").read_bytes()))

    @property
    def ports(self) -> Ports:
        """The ports of the servers."""
        return Ports(**self.memory["ports"])

    def role(self, name: str) -> dict[str, Any]:
        """Return the login of a role in Postgres."""
        return {"username": name, "password": self.memory[f"{name}_password"]}

    # Processes

    def pid(self, title: str) -> int | None:
        """Return the pid of a running server: supervisor, ministack, simulators or postgres."""
        path = self.home / f"{title}.pid"
        if title == "postgres":
            path = self.home / "postgres" / "postmaster.pid"
        try:
            pid = int(path.read_text().split()[0])
            running = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except (OSError, ValueError, IndexError, psutil.Error):
            return None
        return pid if running else None

    def processes(self, title: str) -> list[psutil.Process]:
        """Return a server's processes: the supervisor alone, the others with their children."""
        pid = self.pid(title)
        if pid is None:
            return []
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            return [process] if title == "supervisor" else [process, *process.children()]
        return []

    def workers(self, function: str) -> list[psutil.Process]:
        """Return the processes that run a function, such as `Loader`."""
        marker = f"ministack-lambda-{self.outputs[f'{function}Function']}-"
        found = []
        for process in self.processes("ministack"):
            with suppress(psutil.Error):
                if any(marker in word for word in process.cmdline()):
                    found.append(process)
        return found

    # AWS

    def aws(self, service: str) -> Any:
        """Return a client of AWS as administrator; it does not retry."""
        if service not in self._clients:
            self._clients[service] = session(self.memory["access_key"]).client(  # type: ignore[call-overload]  # a service by its name
                service, endpoint_url=self.ports.aws_endpoint, config=CALL
            )
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The outputs of the stack."""
        document: dict[str, dict[str, str]] = json.loads((self.home / "outputs.json").read_bytes())
        return document["SpotifyPipeline"]

    @property
    def bucket(self) -> str:
        """The archive."""
        return self.outputs["ArchiveBucket"]

    def queue_url(self, queue: str, *, dead: bool = False) -> str:
        """Return the URL of a queue or of its dead-letter queue."""
        camel = "".join(word.capitalize() for word in queue.split("-"))
        return self.outputs[f"{camel}{'Dlq' if dead else 'Queue'}Url"]

    def depth(self, queue: str, *, dead: bool = False) -> int:
        """Return the messages in a queue: visible, in flight and delayed."""
        names = ("", "NotVisible", "Delayed")
        answer = self.aws("sqs").get_queue_attributes(
            QueueUrl=self.queue_url(queue, dead=dead),
            AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],
        )
        return sum(int(value) for value in answer["Attributes"].values())

    def consume(self, queue: str, *, enabled: bool) -> None:
        """Enable or disable the consumer of a queue."""
        functions = self.aws("lambda")
        arn = f":{NAME}-{queue}"
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["EventSourceArn"].endswith(arn):
                functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def put(self, key: str, body: bytes) -> str:
        """Upload a file into the archive; return the origin of its plays."""
        answer = self.aws("s3").put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"{key}?versionId={answer['VersionId']}"

    def log_in(self, listener: str) -> None:
        """Store a new login of a listener at the simulated Spotify, as `plays login` does."""
        stem = f"AQ{secrets.token_urlsafe(96)}"
        signature = digest(CLIENT_SECRET.encode(), stem.encode(), sha256).hex()
        login = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "refresh_token": f"{stem}.{signature}",
            "authorized_at": datetime.now(UTC).isoformat(),
        }
        self.aws("secretsmanager").put_secret_value(
            SecretId=f"{NAME}/listener/{listener}", SecretString=json.dumps(login)
        )

    def poll(self, listener: str) -> dict[str, Any]:
        """Run the collector; return its outcome, or its error under `errorMessage`."""
        answer = self.aws("lambda").invoke(
            FunctionName=self.outputs["CollectorFunction"],
            Payload=json.dumps({"listener": listener}).encode(),
        )
        outcome: dict[str, Any] = json.loads(answer["Payload"].read())
        return outcome

    # Simulators

    def control(self, simulator: str, path: str, wish: object = None) -> Any:
        """Call a control path of a simulator, `spotify` or `reccobeats`."""
        request = Request(
            f"http://{HOST}:{getattr(self.ports, simulator)}{CONTROL}{path}",
            data=None if wish is None else json.dumps(wish).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urlopen(request, timeout=10) as answer:  # noqa: S310 - on this machine
            return json.load(answer)

    # Postgres

    @contextmanager
    def database(self, role: str = "reader") -> Iterator[pg8000.native.Connection]:
        """Connect to Postgres as a role, past the proxy."""
        login = self.role(role)
        # With a socket of its own, which is closed even if the server has ended meanwhile.
        with socket.create_connection((HOST, self.ports.postgres), ANSWER_S) as connected:
            connection = pg8000.native.Connection(
                login["username"],
                database=DATABASE,
                password=login["password"],
                sock=connected,
            )
            try:
                yield connection
            finally:
                with suppress(pg8000.exceptions.Error, OSError):
                    connection.close()

    def rows(self, statement: str, **parameters: Any) -> list[list[Any]]:
        """Read Postgres as role reader."""
        with self.database() as database:
            return list(database.run(statement, **parameters))


PLAYS = (sys.executable, "-m", "cli")


def new_home() -> Path:
    """Return the path of a new home whose free ports are chosen, and saved in it."""
    # Postgres may run as another user, who must be able to enter the folder.
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o711)
    return folder / "home"


def reserve_ports(home: Path) -> None:
    """Save random free ports in a new home, so that it does not take the usual ones."""
    home.mkdir(mode=0o700)
    ports = {name: any_free() for name in Ports.model_fields}
    (home / "memory.json").write_text(json.dumps({"ports": ports, "deployed": False}))
    (home / "memory.json").chmod(0o600)


def eventually(
    question: Callable[[], Any], within_s: float = PATIENCE_S, every_s: float = POLL_S
) -> Any:
    """Ask until the answer is true, and return it; return the last answer after `within_s`."""
    deadline = time.monotonic() + within_s
    while not (answer := question()) and time.monotonic() < deadline:
        time.sleep(every_s)
    return answer


def patiently(action: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Repeat an action until the servers that it needs answer.

    Raises:
        Exception: Its last error, after `within_s`.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return action()
        except (*Away, pg8000.exceptions.Error):
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
