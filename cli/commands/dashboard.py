"""`plays dashboard`: the page of your listening, on this machine."""

import os
import sys
from typing import Annotated

import typer

from cli.options import target_of
from cli.target import Target
from infra.local.page import Source, command, environment

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document with the URL to stdout.")
]


def dashboard(
    context: typer.Context,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65_535, help="By default 8100, or the next free one while that is busy."
        ),
    ] = None,
    browser: Annotated[bool, typer.Option("--open", help="Open it in your browser.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Serve the page of your listening on this machine, until Ctrl-C.

    Only this machine can open it: it listens on 127.0.0.1, and nothing leaves the machine. A local
    cloud serves its own page already; `make run` prints the address, and `plays status` too.

    - `plays dashboard --open` for the local cloud, or for AWS where none runs
    - `plays dashboard --target aws` reads AWS by the function `queries`: it needs no tunnel
    """
    source = _source(target_of(context))
    options = [
        *(("--port", str(port)) if port else ()),
        *(("--open",) if browser else ()),
        *(("--json",) if as_json else ()),
    ]
    sys.stdout.flush()
    words = command(*options)
    os.execve(words[0], words, environment(source, os.environ))  # noqa: S606 - the command is ours


def _source(target: Target) -> Source:
    """Say where the page finds the numbers of a target."""
    options: tuple[str, ...] = ("--target", target.name, "--stack", target.stack)
    if target.via:
        host, port = target.via
        options = (*options, "--database-host", host, "--database-port", str(port))
    if target.state or target.via:
        return Source(options=options, address=target.address)
    return Source(options=options, function=target.output("QueriesFunction"))
