"""`plays sql`: run one SELECT and print its rows as a table, JSON or CSV."""

import shutil
import sys
from collections.abc import Iterable
from typing import Annotated

import typer
from pydantic import ValidationError

from cli.errors import CommandError
from cli.options import target_of
from cli.output import note, printable
from cli.result_formats import csv_lines, json_text, table_lines
from shared.queries import Query, Result

STDIN = "-"


def sql(
    context: typer.Context,
    statement: Annotated[
        str, typer.Argument(metavar="STATEMENT", help="One SELECT, in quotes; `-` reads stdin.")
    ],
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON list with one object for each row.")
    ] = False,
    as_csv: Annotated[
        bool,
        typer.Option("--csv", help='Print CSV with a header; NULL is empty, an empty text "".'),
    ] = False,
) -> None:
    """Run one SELECT and print its rows.

    It runs as the database role `reader`, which can change nothing. Limits: 25 s, and 5 MB of rows.

    \b
    plays sql "SELECT count(*) FROM listening_history"
    plays sql --json "SELECT * FROM poll" | jq '.[].new'
    """  # noqa: D301 - click reads the control character as: keep these lines
    if as_json and as_csv:
        raise CommandError("choose --json or --csv, not both")
    with target_of(context).database() as database:
        result = database.read(_query(statement))
    if as_json:
        typer.echo(printable(json_text(result)))
    else:
        _print(result, as_csv=as_csv)
    note(f"{len(result.rows):,} {'row' if len(result.rows) == 1 else 'rows'}")


def _query(statement: str) -> Query:
    try:
        text = sys.stdin.buffer.read().decode() if statement == STDIN else statement
        return Query(sql=text)
    except (UnicodeDecodeError, ValidationError) as error:
        raise CommandError("the statement is not UTF-8 text: save it as UTF-8") from error


def _print(result: Result, *, as_csv: bool) -> None:
    if as_csv:
        # A file gets the values unchanged; a terminal must not get control characters.
        escape = printable if sys.stdout.isatty() else str
        lines: Iterable[str] = (escape(line) for line in csv_lines(result))
    else:
        lines = table_lines(result, shutil.get_terminal_size().columns)
    sys.stdout.writelines(f"{line}\n" for line in lines)
