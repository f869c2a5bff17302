"""`plays logs`: show the logs of the Lambda functions and of the local Postgres."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from shutil import copyfileobj
from tempfile import TemporaryFile
from typing import Annotated

import typer

from cli.function_logs import Follower, logs_of
from cli.log_lines import LogLine
from cli.options import JsonOption, age, target_of
from cli.output import note, printable, show

FOLLOW_S = 2
"""Seconds between two looks."""


def logs(
    context: typer.Context,
    function: Annotated[
        str | None,
        typer.Argument(
            metavar="FUNCTION",
            help="collector, backfill, enricher, healer, loader, derive, queries or migrator; "
            "on the local cloud also postgres. Default: all.",
        ),
    ] = None,
    *,
    errors: Annotated[bool, typer.Option("--errors", help="Only what failed.")] = False,
    since: Annotated[
        str, typer.Option(metavar="AGE", help="How far back: 90s, 10m, 3h or 7d.")
    ] = "1h",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Show new lines too, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the logs of the Lambda functions and of the local Postgres, the oldest line first.

    --json prints an object with the list `lines`; with --follow, one object per log line.

    \b
    plays logs --errors --since 1d
    plays logs loader --follow
    """  # noqa: D301 - click reads the control character as: keep these lines
    start = datetime.now(UTC) - age(since)
    follower = Follower(logs_of(target_of(context), function), start)
    lines = (line for line in follower.news() if line.is_failure or not errors)
    if as_json and not follow:
        _emit(lines)
        return
    printed = _print(lines, as_json=as_json)
    if follow:
        _print(_news(follower, errors=errors), as_json=as_json)
    elif not printed:
        what = "errors" if errors else "lines"
        note(f"no {what} in the last {since}: --since looks back further")


def _news(follower: Follower, *, errors: bool) -> Iterator[LogLine]:
    while True:
        time.sleep(FOLLOW_S)
        yield from (line for line in follower.news() if line.is_failure or not errors)


def _emit(lines: Iterable[LogLine]) -> None:
    """Print log lines as one JSON document.

    It is written to a temporary file first, because days of logs do not fit into memory, and
    because stdout would get half a document if a log could not be read to its end.
    """
    with TemporaryFile("w+", encoding="utf-8") as file:
        file.write('{"lines": [')
        for number, line in enumerate(lines):
            file.write(f"{',' if number else ''}\n{printable(line.model_dump_json())}")
        file.write("]}\n")
        file.seek(0)
        copyfileobj(file, sys.stdout)


def _print(lines: Iterable[LogLine], *, as_json: bool) -> int:
    """Print log lines as they arrive, and return their number."""
    printed = 0
    for line in lines:
        typer.echo(printable(line.model_dump_json())) if as_json else show(text_of(line))
        printed += 1
    return printed


def text_of(line: LogLine) -> str:
    """Return a log line for people: local time, log, level, message, other fields, error."""
    facts = [f"{name}={_short(value)}" for name, value in line.facts.items()]
    error = (line.exception or "").strip().rpartition("\n")[2].strip()
    words = [f"{line.at.astimezone():%Y-%m-%d %H:%M:%S %Z}", f"{line.log:<9}", f"{line.level:<7}"]
    return "  ".join(
        [*words, line.message, *facts, *([error] if error not in ("", line.message) else [])]
    )


def _short(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
