"""`plays local`: run the whole pipeline on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.env import env
from cli.commands.scenario import scenario
from cli.confirm import YesOption, confirm
from cli.errors import CommandError, interruptible
from cli.options import JsonOption
from cli.output import Document, emit, note, show
from cli.statements import STATEMENTS
from cli.target import choose
from infra.local import cloud
from infra.local.deploy import STACK
from infra.local.memory import Memory
from infra.local.run_options import RunOptions
from infra.local.state import CloudState, LocalCloudError, local_home
from shared.errors import DatabaseError

app = typer.Typer(
    no_args_is_help=True,
    help="Run the whole pipeline on this machine, AWS included.",
)

UrlOption = Annotated[str | None, typer.Option(metavar="URL", help="Replaces the simulator.")]


class Ready(Document):
    """How to reach the local cloud that `plays local up --detach` has started."""

    home: Path
    pid: int
    aws_endpoint: str
    region: str
    bucket: str
    database_url: str
    page_url: str
    log_dir: Path


class Ended(Document):
    """The result of `plays local down` and `reset`: the home directory, and whether a cloud ran."""

    home: Path
    was_running: bool


@app.command()
def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when it is ready, and leave it running.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Load nothing automatically: for your own plays.")
    ] = False,
    spotify_api_url: UrlOption = None,
    spotify_accounts_url: UrlOption = None,
    reccobeats_url: UrlOption = None,
    context: Annotated[
        list[str] | None,
        typer.Option("-c", metavar="NAME=VALUE", help="Configuration, as for `cdk deploy -c`."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the local cloud, with the data of its last run.

    It runs until Ctrl-C, or in the background with --detach. A stop waits 5 s for running Lambda
    functions; the next start continues what they did not finish. Data, passwords and logins stay
    in `.local`, or in the folder that PLAYS_LOCAL_DIR names.
    """
    if as_json and not detach:
        raise CommandError("--json needs a local cloud in the background: add --detach")
    home = local_home()
    with interruptible("the local cloud is stopped; its data is kept"):
        options = RunOptions(
            empty=empty,
            spotify_api_url=spotify_api_url,
            spotify_accounts_url=spotify_accounts_url,
            reccobeats_url=reccobeats_url,
            context=_pairs(context or []),
        )
        cloud.up(home, options, detach=detach, say=note)
    if detach:
        ready = Ready.model_validate(CloudState.load(home).model_dump() | {"home": home})
        emit(ready) if as_json else show(
            "The local cloud is ready: `plays status` shows its state."
        )


@app.command()
def down(*, as_json: JsonOption = False) -> None:
    """Stop the local cloud; its data is kept.

    It waits 5 s for running Lambda functions; the next start continues what they did not finish.
    """
    home = local_home()
    ended = Ended(home=home, was_running=cloud.down(home))
    line = (
        "stopped; its data is kept" if ended.was_running else f"no local cloud is running in {home}"
    )
    emit(ended) if as_json else show(line)


@app.command()
def reset(*, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Stop the local cloud and delete all of its data, passwords and logins."""
    home = local_home()
    had_data = any((home / name).exists() for name in cloud.DATA)
    if had_data:
        confirm(
            f"this deletes the local cloud in {home} ({_contents(home)}) with all uploads, "
            "passwords and logins",
            yes=yes,
        )
    ended = Ended(home=home, was_running=cloud.reset(home))
    line = f"deleted the data in {home}" if had_data else f"there is nothing to delete in {home}"
    emit(ended) if as_json else show(f"stopped; {line}" if ended.was_running else line)


app.command()(scenario)
app.command()(env)


def _contents(home: Path) -> str:
    """Describe the data in a home directory, before it is deleted.

    These are the rows of each table or, if Postgres is unavailable, the number of plays at the last
    stop and the size on disk.
    """
    try:
        with choose("local", STACK, None, home).database() as database:
            rows = database.run(STATEMENTS["rows"])
    except (LocalCloudError, DatabaseError):
        files = (path for name in cloud.DATA for path in (home / name, *(home / name).rglob("*")))
        size = sum(path.lstat().st_size for path in files if path.is_file())
        plays = Memory.load(home).plays
        known = "" if plays is None else f"{plays:,} plays at its last stop, "
        return f"{known}{size / 1e6:,.0f} MB on disk"
    counts = ", ".join(f"{count:,} in {name}" for name, count in rows if count)
    return f"rows: {counts or 'none'}"


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals:
            raise CommandError(f"-c {name} has no value: use -c {name}=VALUE")
    return {name: value for name, _, value in pairs}
