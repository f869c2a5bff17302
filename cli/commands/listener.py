"""`plays listener`: the listeners and their time zones."""

from typing import Annotated

import typer

from cli.commands.derive import AFTER_CTRL_C, derive_all
from cli.errors import interruptible
from cli.listeners import Listeners
from cli.options import JsonOption, target_of
from cli.output import Document, emit, show, table

DEFAULT_ZONE = "UTC"
"""The default of the reporting views."""

app = typer.Typer(no_args_is_help=True, help="List the listeners, and set their time zones.")


class ListenerSetting(Document):
    """A listener and their settings."""

    listener: str
    time_zone: str
    is_default: bool
    """True if no zone is set."""


class ListenerSettings(Document):
    """Every listener of a deployment, sorted by name."""

    listeners: tuple[ListenerSetting, ...]


@app.command("list")
def list_(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List the listeners and their time zones."""
    target = target_of(context)
    with target.database() as database:
        zones = dict(database.run("SELECT listener, time_zone FROM listener_setting"))
    settings = [
        ListenerSetting(
            listener=name,
            time_zone=zones.get(name, DEFAULT_ZONE),
            is_default=name not in zones,
        )
        for name in Listeners(target).names
    ]
    if as_json:
        emit(ListenerSettings(listeners=tuple(settings)))
        return
    shown = table("listener", "time zone", numbers=())
    for each in settings:
        shown.add_row(each.listener, f"{each.time_zone}{' (default)' * each.is_default}")
    show(shown)


@app.command("set")
def set_(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="LISTENER", help="The listener, as in `plays listener list`.")
    ],
    *,
    time_zone: Annotated[
        str, typer.Option(metavar="ZONE", help="A name such as Europe/Berlin, not an offset.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Set the time zone of a listener's days, months and hours.

    It applies to all of their history, as if they had always been there.
    """
    target = target_of(context)
    Listeners(target).require(name)
    with interruptible(f"`plays listener list` shows whether the zone is set; {AFTER_CTRL_C}"):
        derive_all(target, {"time_zones": {name: time_zone}})
    setting = ListenerSetting(listener=name, time_zone=time_zone, is_default=False)
    emit(setting) if as_json else show(f"all history of {name} is now in the time zone {time_zone}")
