"""The commands of `plays`, and the one place where an error becomes one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
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
from cli.commands.report import report
from cli.commands.sql import sql
from cli.commands.status import status
from cli.commands.upload import upload
from cli.errors import CommandError, StoppedError, explain
from cli.output import printable
from cli.target import TargetName, choose
from infra.local.state import local_home
from shared.errors import HistoryError
from shared.faults import in_plain_words

DISTRIBUTION = "listening-history"
STACK = "SpotifyPipeline"
POSTGRES_PORT = 5432


class OneLineErrors(TyperGroup):
    """Prints errors that a person can act on as one line; a bug keeps its traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments; options of every command may also follow the command."""
        with_value = (
            option
            for option in self.params
            if isinstance(option, TyperOption) and not option.is_flag
        )
        names = {name for option in with_value for name in option.opts}
        with _plain_words():
            return super().parse_args(ctx, _options_first(args, names))

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: With 1 if the command failed, with 130 after Ctrl-C.
        """
        try:
            with _plain_words():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _failure(StoppedError("stopped")) from None
        except HistoryError as error:
            raise _failure(error) from None
        except (BotoCoreError, ClientError) as error:
            line = explain(error, is_aws=ctx.params["target"] == "aws")
            raise _failure(CommandError(line)) from None
        except OSError as error:
            # An error without a file name is a bug, or a closed pipe, which typer handles quietly.
            if error.filename is None:
                raise
            line = f"{error.filename} cannot be used: {error.strerror}"
            raise _failure(CommandError(line)) from None


@contextmanager
def _plain_words() -> Iterator[None]:
    """Remove the validation library's own words from the error message about a refused value."""
    try:
        yield
    except typer.BadParameter as error:
        error.message = in_plain_words(error.message)
        raise


def _options_first(args: list[str], names: set[str]) -> list[str]:
    """Move the options `names` and their values to the front, except those that follow `--`."""
    end = args.index("--") if "--" in args else len(args)
    ahead: list[str] = []
    others: list[str] = []
    words = iter(args[:end])
    for word in words:
        if word in names:
            ahead += [word, *islice(words, 1)]
        else:
            (ahead if word.partition("=")[0] in names else others).append(word)
    return [*ahead, *others, *args[end:]]


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it with the flag
    if wanted:
        typer.echo(f"plays {metadata.version(DISTRIBUTION)}")
        raise typer.Exit


def _failure(error: HistoryError) -> typer.Exit:
    line = printable(" ".join(str(error).split()))
    typer.echo(f"plays: {line}", err=True)
    return typer.Exit(error.exit_code if isinstance(error, CommandError) else 1)


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
app.command()(logs)
app.add_typer(listener.app, name="listener")
app.add_typer(dlq.app, name="dlq")
app.add_typer(local.app, name="local")
