"""MiniStack: AWS in one process, with its state on disk and IAM enforced.

It saves S3 objects at once, and all other state only at a clean stop. Lambda functions run as its
child processes, on the same Python interpreter.
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
STOP_S = 30
"""How long a clean stop may take: it drains the functions for 5 s, then saves its state."""


class MiniStack:
    """MiniStack's server on one port, with its data in one home directory."""

    def __init__(self, home: Path) -> None:
        self.child = Child("ministack", home, patience_s=STOP_S)
        self._home = home
        self._port = 0
        self._access_key = ""
        self._unsaved = home / "unsaved"
        # MiniStack writes this file, like its others, only at a clean stop.
        self._saved = home / "ministack" / "sqs.json"

    @property
    def endpoint(self) -> str:
        """The URL of every service."""
        return f"http://{HOST}:{self._port}"

    @property
    def aws(self) -> LocalAws:
        """The endpoint of the local AWS, and the id of its administrator's key."""
        return LocalAws(self.endpoint, self._access_key)

    def start(self, port: int, access_key: str) -> None:
        """Start the server with the administrator's key; `wait_until_ready` then waits for it."""
        self._port, self._access_key = port, access_key
        self._unsaved.unlink(missing_ok=True)
        # Function code is unpacked here, and a crash leaves it behind.
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        for folder in ("ministack", "s3", "tmp"):
            (self._home / folder).mkdir(mode=0o700, exist_ok=True)
        # -P, so that no module is imported from the home.
        gateway = [sys.executable, "-P", str(GATEWAY), HOST, str(port)]
        self.child.start(gateway, self._environment())

    def wait_until_ready(self) -> None:
        """Wait until the server accepts requests.

        Raises:
            LocalCloudError: It ended, or did not accept requests within `READY_S`.
        """
        deadline = time.monotonic() + READY_S
        while not self._serves():
            if self.child.exit_code is not None or time.monotonic() > deadline:
                raise LocalCloudError(f"MiniStack does not start: see its log {self.child.log}")
            time.sleep(POLL_S)

    def restart(self) -> None:
        """Stop it cleanly, which saves its state, and start it again.

        Raises:
            LocalCloudError: The server saved no state, or does not accept requests again.
        """
        self.deployed()
        self.stop()
        if self.has_crashed:
            raise LocalCloudError(
                f"MiniStack does not save its state: see its log {self.child.log}"
            )
        self.start(self._port, self._access_key)
        self.wait_until_ready()

    def stop(self) -> None:
        """Stop it, and let it save its state unless a deployment is unfinished.

        An unfinished deployment cannot be resumed, so the next start uses the last saved state.

        Raises:
            LocalCloudError: It does not stop.
        """
        self.child.stop(at_once=not self._unsaved.exists())

    def deployed(self) -> None:
        """Record that the deployment is complete, so that the next stop must save the state."""
        self._unsaved.touch()

    @property
    def has_crashed(self) -> bool:
        """True if MiniStack's last run ended without saving; call it only while it is stopped."""
        if not self._unsaved.exists():
            return False
        noted_at = self._unsaved.stat().st_mtime_ns
        return not self._saved.exists() or self._saved.stat().st_mtime_ns < noted_at

    def _serves(self) -> bool:
        # Read the log instead of connecting, because another process might have taken the port.
        return f"running on {self.endpoint} ".encode() in self.child.log.read_bytes()

    def _environment(self) -> dict[str, str]:
        """Return the environment of MiniStack, which its functions inherit."""
        home = self._home
        return local_aws(self._access_key) | {
            "AUTH": "true",
            "GATEWAY_PORT": str(self._port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(home / "ministack"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(home / "s3"),
            "TMPDIR": str(home / "tmp"),
            # As on Lambda.
            "TZ": "UTC",
            # Otherwise it would listen on further ports, and remove containers that are not ours.
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "DOCKER_HOST": f"unix://{home / 'no-docker'}",
        }
