"""MiniStack: AWS in one process, with its state on disk and IAM enforced.

It keeps its state at a clean stop only (objects at once), so it is always asked before it is
killed. Lambda functions run as its children, on the interpreter that runs it.
"""

import shutil
import sys
import time
from pathlib import Path

from infra.local.aws import LocalAws
from infra.local.environment import local_aws
from infra.local.ports import HOST
from infra.local.processes import POLL_S, Child
from infra.local.state import LocalCloudError

GATEWAY = Path(__file__).with_name("gateway.py")
READY_S = 60
SAVE_S = 60
"""How long a clean stop may take; it waits for long polls, which last up to 20 s."""


class MiniStack:
    """The server on one port, and its data in one home."""

    def __init__(self, home: Path) -> None:
        self.child = Child("ministack", home, patience_s=SAVE_S)
        self._home = home
        self._port = 0
        self._access_key = ""
        self._unsaved = home / "unsaved"
        # It writes this file, like the others, at a clean stop only.
        self._saved = home / "ministack" / "sqs.json"

    @property
    def endpoint(self) -> str:
        """The URL of every service."""
        return f"http://{HOST}:{self._port}"

    @property
    def aws(self) -> LocalAws:
        """AWS as its administrator reaches it."""
        return LocalAws(self.endpoint, self._access_key)

    def start(self, port: int, access_key: str) -> None:
        """Start it for one administrator; `wait_until_ready` returns when it serves."""
        self._port, self._access_key = port, access_key
        # Function code is unpacked here, and a crash leaves it behind.
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        for folder in ("ministack", "s3", "tmp"):
            (self._home / folder).mkdir(mode=0o700, exist_ok=True)
        # -P: the home is no place for modules.
        gateway = [sys.executable, "-P", str(GATEWAY), HOST, str(port)]
        self.child.start(gateway, self._environment())

    def wait_until_ready(self) -> None:
        """Wait until it serves.

        Raises:
            LocalCloudError: It ended, or does not serve in time.
        """
        deadline = time.monotonic() + READY_S
        while not self._serves():
            if self.child.exit_code is not None or time.monotonic() > deadline:
                raise LocalCloudError(f"MiniStack does not start: see {self.child.log}")
            time.sleep(POLL_S)

    def restart(self) -> None:
        """Stop it cleanly, which saves its state, and start it again.

        Raises:
            LocalCloudError: It saved nothing, or does not serve again.
        """
        self.note_changes()
        self.child.stop()
        if self.has_forgotten:
            raise LocalCloudError(f"MiniStack does not save its state: see {self.child.log}")
        self.start(self._port, self._access_key)
        self.wait_until_ready()

    def note_changes(self) -> None:
        """Note that it holds from now on what its last end has not saved."""
        self._unsaved.touch()

    @property
    def has_forgotten(self) -> bool:
        """Whether it ended without saving what it held, as in a crash; while it does not run."""
        if not self._unsaved.exists():
            return False
        noted_at = self._unsaved.stat().st_mtime_ns
        return not self._saved.exists() or self._saved.stat().st_mtime_ns < noted_at

    def _serves(self) -> bool:
        # Its own word: an answer could be a stranger's, who took the port a moment before.
        return f"running on {self.endpoint} ".encode() in self.child.log.read_bytes()

    def _environment(self) -> dict[str, str]:
        """Tell MiniStack what to be; its functions inherit all of it."""
        home = self._home
        return local_aws(self._access_key) | {
            "AUTH": "true",
            "GATEWAY_PORT": str(self._port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(home / "ministack"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(home / "s3"),
            "TMPDIR": str(home / "tmp"),
            # Lambda's clock shows UTC.
            "TZ": "UTC",
            # It would listen on further ports, and clean up containers that are not ours.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": f"unix://{home / 'no-docker'}",
        }
