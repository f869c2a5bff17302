"""Lets a person edit the body of a dead letter until the function that failed can read it."""

import json

import click

from cli.dead_letters import DeadLetter, decode, faults_in
from cli.errors import CommandError
from cli.login.terminal_input import TerminalInput
from cli.output import note


def edit_body(letter: DeadLetter, bucket: str) -> str | None:
    """Open a dead letter's body in $EDITOR, and again while the saved body is invalid.

    Args:
        letter: The dead letter.
        bucket: The archive bucket.

    Returns:
        The new body as JSON; None if nothing was changed.

    Raises:
        CommandError: The body is invalid, and the person declines to edit it again, or there is no
            terminal to ask on.
    """
    content = decode(letter.body)
    is_json = not isinstance(content, str)
    text = json.dumps(content, indent=2, ensure_ascii=False) if is_json else letter.body
    while changed := click.edit(text, extension=".json"):
        faults = faults_in(letter.queue, changed, bucket)
        if not faults:
            # Escaped and without line breaks: SQS counts bytes, and refuses some characters.
            return json.dumps(json.loads(changed), separators=(",", ":"))
        text, why = changed, "; ".join(faults)
        note(f"This body would fail again: {why}")
        terminal = TerminalInput()
        if not terminal.is_terminal or terminal.ask("Edit again? [Y/n] ").lower() == "n":
            raise CommandError(
                f"the body was not sent, because it is invalid: {why}. The dead letter "
                "is unchanged: run the command again"
            )
    return None
