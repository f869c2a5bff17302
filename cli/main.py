"""Entry point of the command `plays`, and the edge where every error becomes one line."""

from functools import partial
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup, TyperOption

from cli.commands import dlq, listener, local
from cli.commands.dashboard import dashboard
from cli.commands.derive import derive
from cli.commands.heal import heal
from cli.commands.login import login
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

STACK = "SpotifyPipeline"
POSTGRES_PORT = 5432


class ErrorEdge(TyperGroup):
    """Turns what a person can act on into one line on stderr; anything else is a bug, and shows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the options of every command, which may also follow the command."""
        with_value = (
            option
            for option in self.params
            if isinstance(option, TyperOption) and not option.is_flag
        )
        names = {name for option in with_value for name in option.opts}
        return super().parse_args(ctx, _moved_ahead(args, names))

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            typer.Exit: It failed, with 1, or a person stopped it, with 130.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _failure(StoppedError("stopped")) from None
        except HistoryError as error:
            raise _failure(error) from None
        except (BotoCoreError, ClientError) as error:
            line = explain(error, is_aws=ctx.params["target"] == "aws")
            raise _failure(CommandError(line)) from None
        except OSError as error:
            # Without a file it is no person's to mend; a closed pipe is typer's to end quietly.
            if error.filename is None:
                raise
            line = f"{error.filename} cannot be used: {error.strerror}"
            raise _failure(CommandError(line)) from None


def _moved_ahead(args: list[str], names: set[str]) -> list[str]:
    """Move these options and their values before all other words; `--` ends the options."""
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


def _failure(error: HistoryError) -> typer.Exit:
    line = printable(" ".join(str(error).split()))
    typer.echo(f"plays: {line}", err=True)
    return typer.Exit(error.exit_code if isinstance(error, CommandError) else 1)


app = typer.Typer(
    cls=ErrorEdge,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # they may hold a password
    epilog="Every command takes --json; --target, --stack and --database-… may also follow the "
    "command; progress goes to stderr.",
)


@app.callback()
def main(
    context: typer.Context,
    *,
    target: Annotated[
        TargetName | None,
        typer.Option(
            envvar="PLAYS_TARGET",
            help="The local cloud or AWS; by default the local one where it runs, else AWS "
            "(profile and region as for the AWS CLI).",
        ),
    ] = None,
    stack: Annotated[str, typer.Option(help="Name of the CloudFormation stack.")] = STACK,
    database_host: Annotated[
        str | None,
        typer.Option(
            help="Where to reach AWS's Postgres if not at its own host: a forwarded port."
        ),
    ] = None,
    database_port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help=f"The port there, if not {POSTGRES_PORT}."),
    ] = None,
) -> None:
    """All of your Spotify listening, once, enriched, in your own Postgres.

    Start with `plays local up` to see simulated plays, or with `plays local up --empty` for yours:
    bring in your past with `plays upload`, and let it read what you play with `plays login`.
    """
    if database_port and not database_host:
        raise CommandError("--database-port is the port of a host: it needs --database-host")
    via = (database_host, database_port or POSTGRES_PORT) if database_host else None
    # Commands that need no cloud must not fail for want of one: it is looked for when asked for.
    context.obj = context.obj or partial(choose, target, stack, via, local_home())


app.command()(status)
app.command()(report)
app.command()(dashboard)
app.command()(sql)
app.command()(upload)
app.command()(poll)
app.command()(heal)
app.command()(login)
app.command()(derive)
app.add_typer(listener.app, name="listener")
app.add_typer(dlq.app, name="dlq")
app.add_typer(local.app, name="local")

if __name__ == "__main__":
    app(prog_name="plays")
