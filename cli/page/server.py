"""Serve the dashboard until Ctrl-C.

The process imports neither boto3 (except to read Postgres on AWS) nor the command line, because
these would double its memory. A `plays status` subprocess reads queues and logins.
"""

import argparse
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

import waitress

from cli.browser import open_page
from cli.page.connections import Connections
from dashboard.app import OpenReader, create_app
from infra.local.page import VARIABLE, Source
from shared.errors import HistoryError
from shared.queries import Reader

HOST = "127.0.0.1"
PORT = 8100
"""The first port to try; if it is in use, the next ones are tried."""
PORTS = 100
"""How many ports to try."""
THREADS = 4
"""A browser requests a page's files at once; more threads would only open more connections."""

CACHE_S = 60
"""How long a status is reused, because `plays status` takes a second or two."""
STATUS_TIMEOUT_S = 60


class PageError(HistoryError):
    """The dashboard, or a part of one of its pages, cannot be served."""


class Operations:
    """Runs `plays status` to show queues, dead letters and logins; caches its output.

    Args:
        options: Options of `plays` that select the cloud.
    """

    def __init__(self, *options: str) -> None:
        self._command = [sys.executable, "-P", "-m", "cli", *options, "status", "--json"]
        self._lock = Lock()
        self._status: dict[str, Any] = {}
        self._expires_at = 0.0

    def __call__(self) -> dict[str, Any]:
        """Return the JSON that `plays status` prints, at most a minute old.

        Raises:
            PageError: `plays status` failed, or did not finish in time.
        """
        with self._lock:
            if time.monotonic() >= self._expires_at:
                self._status = self._run()
                self._expires_at = time.monotonic() + CACHE_S
            return self._status

    def _run(self) -> dict[str, Any]:
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours
                self._command, capture_output=True, text=True, timeout=STATUS_TIMEOUT_S, check=False
            )
            # The exit code is that of the verdict. While Postgres is away, the rest is printed.
            status: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise PageError(
                f"`plays status` did not finish within {STATUS_TIMEOUT_S} s: run it in a terminal"
            ) from None
        except ValueError:
            raise PageError(done.stderr.strip().removeprefix("plays: ")) from None
        if "error" in status:
            raise PageError(status["error"])
        return status


def listen(port: int | None, first: int = PORT) -> socket.socket:
    """Listen on `port`; if it is None, on the first free port from `first` on.

    Raises:
        PageError: The port is in use or forbidden. If `port` is None, all `PORTS` ports tried are.
    """
    for candidate in range(first, first + PORTS) if port is None else (port,):
        try:
            return socket.create_server((HOST, candidate))
        except OSError as error:
            # str(error) would add the address to the system's message.
            reason = os.strerror(error.errno or 0)
    tried = f"the ports {first} to {first + PORTS - 1}" if port is None else f"port {port}"
    raise PageError(f"{tried} cannot be used ({reason}): choose another with --port")


def readers(source: Source) -> OpenReader:
    """Return a function that opens a reader of Postgres for one request."""
    if source.address:
        return Connections(source.address).reader
    return _by_function(str(source.function))


def _by_function(name: str) -> OpenReader:
    """Return a function that opens a reader through the Lambda function `queries`."""
    # These imports take 24 MB of memory, which only a page for AWS needs.
    from botocore.config import Config  # noqa: PLC0415 - see above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see above

    from cli.aws import session  # noqa: PLC0415 - see above
    from cli.errors import explain  # noqa: PLC0415 - see above
    from cli.queries_function import QueriesFunction  # noqa: PLC0415 - see above

    functions = session().client("lambda", config=Config(connect_timeout=5, read_timeout=40))

    @contextmanager
    def reader() -> Iterator[Reader]:
        try:
            yield QueriesFunction(functions, name)
        except (BotoCoreError, ClientError) as error:
            # Credentials may expire and the network may fail while the page is open.
            raise PageError(explain(error, is_aws=True)) from error

    return reader


def main() -> None:
    """Serve the dashboard with the data source that an environment variable holds as JSON."""
    options = _options()
    source = Source.model_validate_json(os.environ.pop(VARIABLE))
    try:
        listening = listen(options.port)
    except PageError as error:
        sys.exit(f"plays: {error}")
    # Browsers open more connections than there are threads, which is no reason to warn.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(readers(source), Operations(*source.options), source.simulated)
    url = f"http://{HOST}:{listening.getsockname()[1]}/"
    line = json.dumps({"url": url}) if options.json else f"the page: {url} (Ctrl-C stops it)"
    print(line, flush=True)  # noqa: T201 - the command's output
    if options.open:
        # Some browsers block until they are closed.
        Thread(target=open_page, args=(url,), daemon=True).start()
    waitress.serve(app, sockets=[listening], threads=THREADS, ident=None, _quiet=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cli.page", description=__doc__)
    parser.add_argument("--port", type=int, help="default: the first free one from 8100 on")
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    return parser.parse_args()
