"""The commands of `plays`, and the one place where an error becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from itertools import islice
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from cli.commands import dlq, listener, local, uploads
from cli.commands.dashboard import dashboard
from cli.commands.delete import delete
from cli.commands.derive import derive
from cli.commands.export import export
from cli.commands.heal import heal
from cli.commands.login import login
from cli.commands.logs import logs
from cli.commands.poll import poll
from cli.commands.rebuild import rebuild
from cli.commands.report import report
from cli.commands.sql import sql
from cli.commands.status import status
from cli.commands.upload import upload
from cli.commands.verify import verify
from cli.errors import BadResultError, CommandError, StoppedError, as_command_error
from cli.output import Failure, emit, show_failure
from cli.target import TargetName, choose
from infra.local.state import local_home
from shared.faults import in_plain_words

DISTRIBUTION = "listening-history"
STACK = "SpotifyPipeline"
POSTGRES_PORT = 5432
AS_JSON = "cli.as_json"
"""Key in the context's `meta`: whether the command prints JSON, errors included."""


class OneLineErrors(TyperGroup):
    """Prints errors that a person can act on as one line; a bug keeps its traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; options such as --target may stand before or after the command."""
        with_value = (
            option
            for option in self.params
            if isinstance(option, TyperOption) and not option.is_flag
        )
        names = {name for option in with_value for name in option.opts}
        ctx.meta[AS_JSON] = "--json" in args[: _end_of_options(args)]
        with _usage_errors(as_json=ctx.meta[AS_JSON]):
            return super().parse_args(ctx, _options_first(args, names))

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: With the exit code of the error, such as 1, or 130 after Ctrl-C.
        """
        as_json = ctx.meta[AS_JSON]
        try:
            with (
                as_command_error(is_aws=ctx.params["target"] == "aws"),
                _usage_errors(as_json=as_json),
            ):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _failure(StoppedError("stopped"), as_json=as_json) from None
        except CommandError as error:
            raise _failure(error, as_json=as_json) from None


@contextmanager
def _usage_errors(*, as_json: bool) -> Iterator[None]:
    """Reword a usage error in plain words; with --json, print it to stdout as a document too.

    The error is raised again, and Click prints it to stderr.
    """
    try:
        yield
    except typer.TyperException as error:
        if isinstance(error, typer.BadParameter):
            error.message = in_plain_words(error.message)
        if as_json:
            emit(Failure(error=error.format_message()))
        raise


def _options_first(args: list[str], names: set[str]) -> list[str]:
    """Move the options `names` and their values to the front, except those that follow `--`."""
    end = _end_of_options(args)
    ahead: list[str] = []
    others: list[str] = []
    words = iter(args[:end])
    for word in words:
        if word in names:
            ahead += [word, *islice(words, 1)]
        else:
            (ahead if word.partition("=")[0] in names else others).append(word)
    return [*ahead, *others, *args[end:]]


def _end_of_options(args: list[str]) -> int:
    return args.index("--") if "--" in args else len(args)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag
    if wanted:
        typer.echo(f"plays {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


def _failure(error: CommandError, *, as_json: bool) -> typer.Exit:
    # A command that was stopped, or that has printed its result, prints no further document.
    is_quiet = isinstance(error, StoppedError | BadResultError)
    show_failure(str(error), as_json=as_json and not is_quiet)
    return typer.Exit(error.exit_code)


# Typer adds the Python type of an argument, such as `<list[Path]>`, which says nothing to a person.
TyperArgument.display_type_rich = lambda *_, **__: None  # type: ignore[method-assign]  # no option for it

app = typer.Typer(
    cls=OneLineErrors,
    no_args_is_help=True,
    # Click's plain help keeps option names whole in a narrow terminal.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    pretty_exceptions_show_locals=False,  # they may hold a password
    epilog="Every command takes --json. --target, --stack and --database-… may also follow the "
    "command. Progress goes to stderr.",
)


@app.callback()
def main(
    context: typer.Context,
    *,
    target: Annotated[
        TargetName | None,
        typer.Option(
            envvar="PLAYS_TARGET",
            help="The local cloud or AWS. Default: the local cloud if it runs, else AWS "
            "(profile and region as for the AWS CLI).",
        ),
    ] = None,
    stack: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the CloudFormation stack.")
    ] = STACK,
    database_host: Annotated[
        str | None,
        typer.Option(
            metavar="HOST", help="Host of a forwarded port that leads to Postgres in AWS."
        ),
    ] = None,
    database_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            help=f"Port of --database-host. Default: {POSTGRES_PORT}.",
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Every play of your Spotify history, once, with audio features, in your own Postgres.

    Start with `plays local up` to see simulated plays, or with `plays local up --empty` for your
    own: `plays upload` loads your past, and `plays login` lets the pipeline read what you play.
    """
    if database_port and not database_host:
        raise CommandError("--database-port is the port of --database-host: pass both")
    via = (database_host, database_port or POSTGRES_PORT) if database_host else None
    # Looked up on first use, because some commands need no cloud.
    context.obj = context.obj or partial(choose, target, stack, via, local_home())


app.command()(status)
app.command()(report)
app.command()(dashboard)
app.command()(sql)
app.command()(export)
app.command()(delete)
app.command()(upload)
app.add_typer(uploads.app, name="uploads")
app.command()(poll)
app.command()(heal)
app.command()(login)
app.command()(derive)
app.command()(verify)
app.command()(rebuild)
app.command()(logs)
app.add_typer(listener.app, name="listener")
app.add_typer(dlq.app, name="dlq")
app.add_typer(local.app, name="local")
