"""`plays local scenario`: let the simulated Spotify and ReccoBeats fail as the real ones do."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.listeners import Listeners
from cli.options import JsonOption
from cli.output import Document, emit, show, table
from cli.target import choose
from infra.local.deploy import STACK
from infra.local.memory import Memory
from infra.local.scenarios import Playing, Simulators
from infra.local.simulators.scenarios import NORMAL
from infra.local.state import CloudState, local_home

NUMBER = re.compile("[0-9]{1,4300}")
"""As many digits as Python reads; how great it may be the simulator says."""


class Offered(Document):
    """A scenario that can be switched on, and the defaults of its parameters."""

    simulator: str
    name: str
    summary: str
    parameters: dict[str, int]


class Scenarios(Document):
    """What each simulator plays now, and everything that there is."""

    playing: tuple[Playing, ...]
    offered: tuple[Offered, ...]


class Switched(Document):
    """What the simulators play from now on that were switched."""

    playing: tuple[Playing, ...]


def scenario(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="What to play; `normal` ends it.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PARAMETER=NUMBER",
            help="Of the scenario; and `times` (how many requests it concerns) and `for_s` (how "
            "many seconds it lasts), which all of them take.",
        ),
    ] = None,
    *,
    also: Annotated[
        bool, typer.Option("--also", help="Leave those on that are on already.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Let the simulated services misbehave as the real ones were seen to; without NAME, list how.

    The name tells which simulator is meant. Until it is switched off with
    `plays local scenario normal`, the pipeline meets it at each poll; watch it with `plays status`.
    With `normal` the pipeline also forgets what the simulated Spotify told it to wait for, be it
    hours. ReccoBeats it leaves alone for up to 15 minutes more.

    - `plays local scenario rate-limited retry_after_s=60 times=1`
    - `plays local scenario refresh-token-revoked`
    - `plays local scenario reccobeats-down for_s=600`
    """
    home = local_home()
    state = CloudState.load(home)
    simulators = Simulators.of(state, Memory.load(home).ports)
    if name is None:
        _list(simulators, as_json=as_json)
        return
    options = _numbers(parameters or []) | ({"also": True} if also else {})
    playing = tuple(simulators.switch(name, options))
    if name == NORMAL and state.simulated:
        Listeners(choose("local", STACK, None, home)).forget_refusals()
    emit(Switched(playing=playing)) if as_json else show(*map(_line, playing))


def _list(simulators: Simulators, *, as_json: bool) -> None:
    told = Scenarios(playing=tuple(simulators.playing()), offered=tuple(_offered(simulators)))
    if as_json:
        emit(told)
        return
    listed = table("scenario", "what happens", "parameters", numbers=())
    # Names are copied; half of one is no name.
    listed.columns[0].no_wrap = True
    for one in told.offered:
        listed.add_row(one.name, one.summary, _spelled(one.parameters))
    show(listed, "", *map(_line, told.playing))


def _offered(simulators: Simulators) -> Sequence[Offered]:
    return [
        Offered(simulator=title, name=name, summary=one.summary, parameters=dict(one.parameters))
        for title, scenarios in simulators.tables.items()
        for name, one in scenarios.items()
    ]


def _line(playing: Playing) -> str:
    """Tell what a simulator plays, in one line."""
    acts = [
        " ".join(
            filter(None, [act.name, _spelled(act.parameters), _rest(act.times_left, act.ends_at)])
        )
        for act in playing.scenarios
    ]
    return f"{playing.simulator}: {', '.join(acts) or NORMAL}"


def _rest(times_left: int | None, ends_at: str | None) -> str:
    times = "" if times_left is None else f"(times left: {times_left})"
    return " ".join(filter(None, [times, ends_at and f"(until {ends_at})"]))


def _spelled(parameters: Mapping[str, int]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def _numbers(words: Sequence[str]) -> dict[str, int]:
    pairs = [word.partition("=") for word in words]
    for name, _, value in pairs:
        if not NUMBER.fullmatch(value):
            raise CommandError(f"{name} needs a whole number: write {name}=NUMBER")
    return {name: int(value) for name, _, value in pairs}
