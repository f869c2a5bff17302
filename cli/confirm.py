"""Asking a person before a command does what cannot be undone."""

from typing import Annotated

import typer

from cli.errors import CommandError
from cli.login.terminal_input import Typed
from cli.output import note

YesOption = Annotated[
    bool, typer.Option("--yes", help="Do not ask; needed where no terminal can be asked.")
]


def confirm(consequence: str, advice: str = "", *, yes: bool) -> None:
    """Return if a person agrees to what a command is about to do.

    Args:
        consequence: What it will do, as a sentence without a full stop.
        advice: What a person may do instead, as whole sentences.
        yes: Whether they agreed already, by --yes.

    Raises:
        CommandError: They do not agree, or there is no terminal to ask.
    """
    if yes:
        return
    typed = Typed()
    if not typed.is_terminal:
        raise CommandError(f"{consequence}: pass --yes to agree. {advice}".strip())
    note(f"{consequence}. {advice}".strip())
    if typed.ask("Go on? [y/N] ").lower() not in ("y", "yes"):
        raise CommandError("nothing was done")
