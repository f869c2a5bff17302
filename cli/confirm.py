"""Ask for confirmation before a command does something that cannot be undone."""

from typing import Annotated

import typer

from cli.errors import CommandError
from cli.login.terminal_input import TerminalInput
from cli.output import note

YesOption = Annotated[
    bool, typer.Option("--yes", help="Skip the confirmation; required without a terminal.")
]


def confirm(consequence: str, advice: str = "", *, yes: bool) -> None:
    """Ask the person to agree to what the command is about to do.

    Args:
        consequence: What it will do, as a sentence without a full stop.
        advice: What the person may do instead, as whole sentences.
        yes: True if they agreed already, by --yes.

    Raises:
        CommandError: They disagree, or there is no terminal to ask on.
    """
    if yes:
        return
    terminal = TerminalInput()
    if not terminal.is_terminal:
        raise CommandError(f"{consequence}: pass --yes to agree. {advice}".strip())
    note(f"{consequence}. {advice}".strip())
    if terminal.ask("Continue? [y/N] ").lower() not in ("y", "yes"):
        raise CommandError("cancelled; nothing was changed")


def confirm_by_name(consequence: str, name: str, *, yes: bool) -> None:
    """Ask the person to type a name, because the command deletes data that cannot be restored.

    Args:
        consequence: What it will do, as a sentence without a full stop.
        name: What to type.
        yes: True if they agreed already, by --yes.

    Raises:
        CommandError: They type something else, or there is no terminal to ask on.
    """
    if yes:
        return
    terminal = TerminalInput()
    if not terminal.is_terminal:
        raise CommandError(f"{consequence}: pass --yes to agree")
    note(f"{consequence}.")
    if terminal.ask(f"Type {name} to delete all of it: ") != name:
        raise CommandError("cancelled; nothing was changed")
