"""`plays listener`: list, add and remove listeners, and set their time zones."""

import json
from typing import Annotated

import typer

from cli.commands.derive import AFTER_CTRL_C, derive_all
from cli.confirm import YesOption, confirm_by_name
from cli.errors import CommandError, interruptible
from cli.listener_removal import Holdings, count_holdings, remove, resumable
from cli.listeners import Listeners
from cli.options import JsonOption, ListenerArgument, target_of
from cli.output import Document, emit, note, show, table
from cli.target import Target
from infra.local import cloud
from infra.local.state import local_home

DEFAULT_ZONE = "UTC"
"""The default of the reporting views."""

app = typer.Typer(
    no_args_is_help=True,
    help="List, add and remove listeners, and set their time zones.\n\nA listener is a person "
    "whose plays are kept apart from those of others, with a login of their own.",
)


class ListenerSetting(Document):
    """A listener and their time zone."""

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
    settings = _settings(target)
    if as_json:
        emit(ListenerSettings(listeners=settings))
        return
    shown = table("listener", "time zone", numbers=())
    for each in settings:
        shown.add_row(each.listener, f"{each.time_zone}{' (default)' * each.is_default}")
    show(shown)


@app.command()
def add(context: typer.Context, name: ListenerArgument, *, as_json: JsonOption = False) -> None:
    """Add a listener.

    The local cloud restarts with the new listener, in about a minute. On AWS listeners are
    part of the deployment: the command says what to change and run. If a removed listener had the
    same name, the local cloud keeps what is still stored of them, including the login.
    """
    target = target_of(context)
    listeners = Listeners(target)
    if name in listeners.names:
        raise CommandError(f"{name} is a listener already: see `plays listener list`")
    if name in listeners.removed and not target.state:
        raise CommandError(_secret_exists(target, name))
    with interruptible("the restart goes on: `plays listener list` shows the listeners after it"):
        _deploy(target, [*listeners.names, name], then=f"`plays login --listener {name}`")
    (setting,) = [each for each in _settings(target_of(context)) if each.listener == name]
    emit(setting) if as_json else show(
        f"{name} is a listener now. `plays upload FILE --listener {name}` loads their past, and "
        f"`plays login --listener {name}` lets the pipeline read what they play."
    )


@app.command("remove")
def remove_(
    context: typer.Context,
    name: ListenerArgument,
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a listener and all that is stored of them.

    It deletes plays, uploads, poll answers, gaps, the login and the state of the polls. The command
    shows how many there are, and asks you to type the listener's name. This cannot be undone, but
    you can upload files that you still have. Audio features stay, because they belong to no person.
    The local cloud first restarts without the listener, in about a minute. On AWS you first
    take the listener out of the deployment; the command says how. If a removal stops half-way, run
    it again.
    """
    target = target_of(context)
    listeners = Listeners(target)
    if name not in listeners.removed:
        listeners.require(name)
    others = [each for each in listeners.names if each != name]
    if not others:
        raise CommandError(f"{name} is the only listener: `plays listener add` another one first")
    is_deployed = name in listeners.names
    if is_deployed and not target.state:
        _deploy(target, others, then=f"`plays listener remove {name}` again")
    holdings = count_holdings(target, name)
    confirm_by_name(_consequence(holdings), name, yes=yes)
    if is_deployed:
        with resumable(name):
            _deploy(target, others, then="")
            target = target_of(context)
    remove(target, name)
    emit(holdings) if as_json else show(f"all that was stored of {name} is deleted")


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
    """Set the time zone in which a listener's days, months and hours are counted.

    It applies to the whole history, as if the listener had always been in that zone.
    """
    target = target_of(context)
    Listeners(target).require(name)
    with interruptible(f"`plays listener list` shows whether the zone is set; {AFTER_CTRL_C}"):
        derive_all(target, {"time_zones": {name: time_zone}})
    setting = ListenerSetting(listener=name, time_zone=time_zone, is_default=False)
    emit(setting) if as_json else show(f"all history of {name} is now in the time zone {time_zone}")


def _settings(target: Target) -> tuple[ListenerSetting, ...]:
    """Read the settings of every listener, sorted by name."""
    with target.database() as database:
        zones = dict(database.run("SELECT listener, time_zone FROM listener_setting"))
    return tuple(
        ListenerSetting(
            listener=name, time_zone=zones.get(name, DEFAULT_ZONE), is_default=name not in zones
        )
        for name in Listeners(target).names
    )


def _deploy(target: Target, listeners: list[str], *, then: str) -> None:
    """Deploy the local cloud with these listeners.

    Raises:
        CommandError: The target is AWS; the message says what to change and run, with `then` as the
            last step.
    """
    if target.state is None:
        raise CommandError(
            "on AWS listeners are part of the deployment: set `listeners` in cdk.json to "
            f"{json.dumps(listeners)}, run `make deploy`, then {then}"
        )
    note("restarting the local cloud with its new listeners, about a minute ...")
    cloud.change_listeners(local_home(), listeners)


def _secret_exists(target: Target, name: str) -> str:
    secret = f"{target.output('ListenerSecretPrefix')}{name}"
    return (
        f"{name} was a listener and the secret is still stored, so a deployment cannot create it "
        f"again: delete everything with `plays listener remove {name}`, or the login alone with "
        f"`aws secretsmanager delete-secret --secret-id {secret} --force-delete-without-recovery`"
    )


def _consequence(holdings: Holdings) -> str:
    return (
        f"this deletes all that is stored of {holdings.listener} (plays: {holdings.plays:,}, "
        f"uploads: {holdings.uploads:,}, poll answers: {holdings.answers:,}, gaps: "
        f"{holdings.gaps:,}), the login and the state of the polls"
    )
