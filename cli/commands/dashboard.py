"""`plays dashboard`: serve the dashboard on this machine."""

import json
import os
import sys
from typing import Annotated

import typer

from cli.browser import open_page
from cli.options import target_of
from cli.output import show
from cli.target import Target
from infra.local.memory import FILE
from infra.local.page import Source, command, environment
from infra.local.state import local_home

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document with the URL to stdout.")
]


def dashboard(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            help="Default: 8100, or the next free port. With --port a second dashboard starts "
            "beside that of a local cloud.",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open it in your browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve the dashboard on this machine, until Ctrl-C.

    It listens on 127.0.0.1 only, and sends nothing to other machines. A running local cloud
    already serves the dashboard: without --port the command only prints its URL.

    With --target aws the dashboard reads Postgres through the Lambda function `queries`, so that
    it needs no tunnel.
    """
    target = target_of(context)
    if port is None and target.state and target.state.page_url:
        _show_running(target.state.page_url, browser=browser, as_json=as_json)
        return
    options = [
        *(("--port", str(port)) if port else ()),
        *(("--open",) if browser else ()),
        *(("--json",) if as_json else ()),
    ]
    sys.stdout.flush()
    words = command(*options)
    os.execve(words[0], words, environment(_source(target), os.environ))  # noqa: S606 - the command is ours


def _show_running(url: str, *, browser: bool, as_json: bool) -> None:
    """Print the URL of the dashboard that the local cloud serves, and open it with --open."""
    line = f"the dashboard is already running: {url} (--port starts a second one)"
    show(json.dumps({"url": url}) if as_json else line)
    if browser:
        open_page(url)


def _source(target: Target) -> Source:
    """Return where the dashboard reads: Postgres itself, or on AWS the function `queries`."""
    options: tuple[str, ...] = ("--target", target.name, "--stack", target.stack)
    if target.via:
        host, port = target.via
        options = (*options, "--database-host", host, "--database-port", str(port))
    if target.state or target.via:
        memory = local_home() / FILE if target.state else None
        return Source(options=options, address=target.address, memory=memory)
    return Source(options=options, function=target.output("QueriesFunction"))
