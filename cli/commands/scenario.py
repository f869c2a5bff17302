"""`plays local scenario`: make the simulated Spotify and ReccoBeats fail as the real ones do."""

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


class Offered(Document):
    """A scenario that can be switched on, and the defaults of its parameters."""

    simulator: str
    name: str
    summary: str
    parameters: dict[str, int]


class Scenarios(Document):
    """The scenarios that are on in each simulator, and all that can be switched on."""

    playing: tuple[Playing, ...]
    offered: tuple[Offered, ...]


class Switched(Document):
    """The scenarios that are on after the command, for each simulator that it changed."""

    playing: tuple[Playing, ...]


def scenario(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="The scenario; `normal` ends all.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PARAMETER=NUMBER",
            help="Parameters of the scenario. Every scenario takes `times` (how many requests it "
            "affects) and `for_s` (how many seconds it lasts).",
        ),
    ] = None,
    *,
    also: Annotated[bool, typer.Option("--also", help="Keep the scenarios that are on.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the simulated services fail as the real ones do; without NAME, list the scenarios.

    Each name belongs to one simulator. A scenario lasts until `plays local scenario normal`, and
    `plays status` shows its effects. `normal` also clears the rate limits and refused logins that
    the simulated Spotify caused. The pipeline asks ReccoBeats again within 15 minutes.

    \b
    plays local scenario rate-limited retry_after_s=60 times=1
    plays local scenario refresh-token-revoked
    plays local scenario reccobeats-down for_s=600
    """  # noqa: D301 - click reads the control character as: keep these lines
    home = local_home()
    state = CloudState.load(home)
    simulators = Simulators.of(state, Memory.load(home).ports)
    if name is None:
        _list(simulators, as_json=as_json)
        return
    options = _numbers(parameters or []) | ({"also": True} if also else {})
    playing = tuple(simulators.switch(name, options))
    if name == NORMAL and state.simulated:
        Listeners(choose("local", STACK, None, home)).clear_refusals()
    emit(Switched(playing=playing)) if as_json else show(*map(_line, playing))


def _list(simulators: Simulators, *, as_json: bool) -> None:
    found = Scenarios(playing=tuple(simulators.playing()), offered=tuple(_offered(simulators)))
    if as_json:
        emit(found)
        return
    listed = table("scenario", "what happens", "parameters", numbers=())
    # People copy the names, so they must not wrap.
    listed.columns[0].no_wrap = True
    for one in found.offered:
        listed.add_row(one.name, one.summary, _spelled(one.parameters))
    show(listed, "", *map(_line, found.playing))


def _offered(simulators: Simulators) -> Sequence[Offered]:
    return [
        Offered(simulator=title, name=name, summary=one.summary, parameters=dict(one.parameters))
        for title, scenarios in simulators.tables.items()
        for name, one in scenarios.items()
    ]


def _line(playing: Playing) -> str:
    """Return one line with the scenarios that are on in a simulator."""
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
    numbers = {}
    for name, _, value in (word.partition("=") for word in words):
        try:
            numbers[name] = int(value)
        except ValueError:
            raise CommandError(f"{name} needs a whole number: use {name}=NUMBER") from None
    return numbers
