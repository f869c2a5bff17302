"""The options that choose dead letters, declared once for all commands that take them."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from inspect import Signature, signature
from typing import Annotated, Any

import typer

from cli.dead_letters import Filter
from cli.options import age


def _wanted(
    *,
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="Only this one, by its id or the beginning of it."),
    ] = None,
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those of this listener.")
    ] = None,
    origin: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those whose S3 key contains this.")
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those whose reason contains this.")
    ] = None,
    older_than: Annotated[
        timedelta | None,
        typer.Option(parser=age, metavar="AGE", help="Only those sent before: 90s, 10m, 3h or 7d."),
    ] = None,
    newer_than: Annotated[
        timedelta | None, typer.Option(parser=age, metavar="AGE", help="Only those sent since.")
    ] = None,
    most: Annotated[
        int | None, typer.Option(metavar="NUMBER", min=1, help="No more than this number.")
    ] = None,
) -> Filter:
    return Filter(tuple(ids or ()), listener, origin, reason, older_than, newer_than, most)


def with_filter(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options --id, --listener and so on to a command, which gets a Filter as `wanted`."""
    options = signature(_wanted).parameters

    @wraps(command)
    def run(**given: Any) -> None:
        wanted = _wanted(**{name: given.pop(name) for name in options})
        command(**given, wanted=wanted)

    own = signature(command).parameters.values()
    parameters = [*(each for each in own if each.name != "wanted"), *options.values()]
    # Typer reads both to make the options.
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # as PEP 362 says
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
