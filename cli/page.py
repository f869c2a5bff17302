"""Serve the page until Ctrl-C: `plays dashboard` becomes this process, and the local cloud has one.

It holds neither boto3 (except to read Postgres on AWS) nor the command line: these alone would take
as much memory as the page may. Queues and logins are asked for by `plays status`, in a process that
ends.
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
from contextlib import contextmanager, suppress
from threading import Lock, Thread
from typing import Any

import waitress

from cli.browser import open_page
from cli.connections import Connections
from dashboard.app import OpenReader, create_app
from infra.local.page import VARIABLE, Source
from shared.errors import HistoryError
from shared.queries import Reader

HOST = "127.0.0.1"
PORT = 8100
"""The first port that is tried; ports after it are tried while others are busy."""
PORTS = 100
THREADS = 4
"""A page asks for its files at once; more would only be more connections to Postgres."""

KEPT_S = 60
"""How long queues and logins are not asked for again: it takes a second or two."""
PATIENCE_S = 60


class PageError(HistoryError):
    """The page cannot be served, or a part of it cannot be had."""


class Operations:
    """What `plays status` knows of a cloud beside its plays: queues, dead letters, logins.

    Args:
        options: Those of `plays` that name the cloud.
    """

    def __init__(self, *options: str) -> None:
        self._command = [sys.executable, "-P", "-m", "cli.main", *options, "status", "--json"]
        self._lock = Lock()
        self._known: dict[str, Any] = {}
        self._old_at = 0.0

    def __call__(self) -> dict[str, Any]:
        """Return the JSON that `plays status` prints, a minute old at most.

        Raises:
            PageError: It has none to print.
        """
        with self._lock:
            if time.monotonic() >= self._old_at:
                self._known = self._ask()
                self._old_at = time.monotonic() + KEPT_S
            return self._known

    def _ask(self) -> dict[str, Any]:
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours
                self._command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
            # With Postgres away it fails, and still prints the rest.
            known: dict[str, Any] = json.loads(done.stdout)
        except subprocess.TimeoutExpired:
            raise PageError(f"`plays status` gave no answer within {PATIENCE_S} s") from None
        except ValueError:
            raise PageError(done.stderr.strip().removeprefix("plays: ")) from None
        return known


def listen(port: int | None, first: int = PORT) -> socket.socket:
    """Listen on a port, or on the first free one of those from `first` on.

    Raises:
        PageError: The port, or each of them, is busy or refused.
    """
    for candidate in range(first, first + PORTS) if port is None else (port,):
        try:
            return socket.create_server((HOST, candidate))
        except OSError as error:
            # Python adds the address to the system's words.
            reason = os.strerror(error.errno or 0)
    tried = f"the ports {first} to {first + PORTS - 1}" if port is None else f"port {port}"
    raise PageError(f"{tried} cannot be used ({reason}): name another with --port")


def readers(source: Source) -> OpenReader:
    """Return what lends a reader of Postgres to each request."""
    if source.address:
        return Connections(source.address).reader
    return _by_function(str(source.function))


def _by_function(name: str) -> OpenReader:
    """Return what lends the function `queries` of a stack on AWS."""
    # 24 MB that only AWS needs.
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    from cli.aws import session  # noqa: PLC0415
    from cli.errors import explain  # noqa: PLC0415
    from cli.remote import QueriesFunction  # noqa: PLC0415

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
    """Serve the page of the source that the environment names."""
    options = _options()
    source = Source.model_validate_json(os.environ.pop(VARIABLE))
    try:
        listening = listen(options.port)
    except PageError as error:
        sys.exit(f"plays: {error}")
    # Browsers open more connections than there are threads; each file is served in a moment.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = create_app(readers(source), Operations(*source.options), source.simulated)
    url = f"http://{HOST}:{listening.getsockname()[1]}/"
    said = json.dumps({"url": url}) if options.json else f"the page: {url} (Ctrl-C stops it)"
    print(said, flush=True)  # noqa: T201 - what was asked for
    if options.open:
        # A browser may not return before it is closed.
        Thread(target=open_page, args=(url,), daemon=True).start()
    waitress.serve(app, sockets=[listening], threads=THREADS, ident=None, _quiet=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m cli.page", description=__doc__)
    parser.add_argument("--port", type=int, help="by default the first free one from 8100 on")
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    parser.add_argument("--json", action="store_true", help="print the address as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    # Ctrl-C ends it, also while it is starting.
    with suppress(KeyboardInterrupt):
        main()
