"""`plays local`: the whole pipeline on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from cli.commands.scenario import scenario
from cli.confirm import YesOption, confirm
from cli.errors import CommandError, interruptible
from cli.options import JsonOption
from cli.output import Document, emit, note, show
from cli.target import choose
from cli.upload_results import STATEMENTS
from infra.local import cloud
from infra.local.deploy import STACK
from infra.local.memory import Memory
from infra.local.state import CloudState, LocalCloudError, local_home
from shared.errors import DatabaseError

app = typer.Typer(
    no_args_is_help=True,
    help="Run the whole pipeline on this machine: AWS, Postgres and Spotify, all local.",
)

UrlOption = Annotated[str | None, typer.Option(metavar="URL", help="In place of the simulator.")]


class Ready(Document):
    """A local cloud that is ready; its keys open nothing but itself."""

    home: Path
    pid: int
    aws_endpoint: str
    region: str
    bucket: str
    database_url: str
    page_url: str
    log_dir: Path


class Ended(Document):
    """A local cloud that runs no more."""

    home: Path
    was_running: bool


@app.command()
def up(
    *,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all is ready, and leave it running.")
    ] = False,
    empty: Annotated[bool, typer.Option("--empty", help="Ingest nothing by itself.")] = False,
    spotify_api_url: UrlOption = None,
    spotify_accounts_url: UrlOption = None,
    reccobeats_url: UrlOption = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "-c", metavar="NAME=VALUE", help="More configuration, as for `cdk deploy -c`."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Start the local cloud, on the data of its last run if there is any.

    Runs until Ctrl-C, or in the background with --detach. A stop waits 5 s for running functions;
    the next start continues what they did not finish. Data, passwords and logins stay in `.local`,
    or in the folder that PLAYS_LOCAL_DIR names.
    """
    if as_json and not detach:
        raise CommandError("--json tells of a cloud that is ready: it needs --detach")
    home = local_home()
    with interruptible("nothing is left running; the data stays"):
        cloud.up(
            home,
            empty=empty,
            detach=detach,
            say=note,
            spotify_api_url=spotify_api_url,
            spotify_accounts_url=spotify_accounts_url,
            reccobeats_url=reccobeats_url,
            context=_pairs(context or []),
        )
    if detach:
        ready = Ready.model_validate(CloudState.load(home).model_dump() | {"home": home})
        emit(ready) if as_json else show("Look at it with `plays status`.")


@app.command()
def down(*, as_json: JsonOption = False) -> None:
    """Stop the local cloud; its data stays.

    Waits 5 s for running functions; the next start continues what they did not finish.
    """
    home = local_home()
    ended = Ended(home=home, was_running=cloud.down(home))
    line = "stopped; the data stays" if ended.was_running else f"no local cloud ran in {home}"
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
    line = f"its data in {home} deleted" if had_data else f"there was nothing in {home} to delete"
    emit(ended) if as_json else show(f"stopped, and {line}" if ended.was_running else line)


app.command()(scenario)


def _contents(home: Path) -> str:
    """Say what plays a home holds: rows while Postgres runs, else what it last counted, and MB."""
    try:
        with choose("local", STACK, None, home).database() as database:
            rows = database.run(STATEMENTS["rows"])
    except (LocalCloudError, DatabaseError):
        files = (path for name in cloud.DATA for path in (home / name, *(home / name).rglob("*")))
        size = sum(path.lstat().st_size for path in files if path.is_file())
        plays = Memory.load(home).plays
        known = "" if plays is None else f"{plays:,} plays when it last ran, "
        return f"{known}{size / 1e6:,.0f} MB on disk"
    counts = ", ".join(f"{count:,} in {name}" for name, count in rows if count)
    return f"rows: {counts or 'none'}"


def _pairs(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for name, equals, _ in pairs:
        if not equals:
            raise CommandError(f"-c {name} has no value: write -c {name}=VALUE")
    return {name: value for name, _, value in pairs}
