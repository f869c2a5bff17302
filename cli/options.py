"""Options that several commands share."""

import re
from datetime import datetime, timedelta
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from cli.errors import CommandError
from cli.target import Target
from shared.models import Listener

_LISTENER: TypeAdapter[str] = TypeAdapter(Listener)


def _listener(name: str) -> str:
    try:
        return _LISTENER.validate_python(name)
    except ValidationError:
        raise CommandError(
            f"{name!r} is not a valid listener name: "
            "use 1 to 32 of a-z, 0-9, - and _, starting with a letter or digit"
        ) from None


ListenerArgument = Annotated[
    str, typer.Argument(metavar="LISTENER", callback=_listener, help="The listener's short name.")
]
ListenerOption = Annotated[
    str, typer.Option("--listener", metavar="NAME", callback=_listener, help="The listener.")
]
OptionalListenerOption = Annotated[
    str | None,
    typer.Option(
        "--listener",
        metavar="NAME",
        callback=lambda name: name and _listener(name),
        help="Only this listener. Default: all.",
    ),
]
_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M"]
FromOption = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        metavar="DATE",
        formats=_TIMES,
        help="From this day, or 2026-11-30T23:15, on, in the listener's time zone.",
    ),
]
ToOption = Annotated[
    datetime | None,
    typer.Option(
        "--to",
        metavar="DATE",
        formats=_TIMES,
        help="Up to the end of this day, or to a time, in the listener's time zone.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait until every play is a row in Postgres.")
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0,
        help="Stop waiting after this time; nothing is undone.",
    ),
]

DEFAULT_TIMEOUT_S = 900.0


def age(text: str) -> timedelta:
    """Parse the value of an option that takes an age: `90s`, `10m`, `3h` or `7d`."""
    found = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if not found:
        raise typer.BadParameter(f"{text!r} is not an age: write for example 90s, 10m, 3h or 7d")
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{units[found[2]]: int(found[1])})


def target_of(context: typer.Context) -> Target:
    """Return the cloud that the command works on."""
    target: Target = context.obj()
    return target
