"""A person edits the body of a dead letter until its function could read it."""

import json

import click

from cli.dead_letters import DeadLetter, decode, faults_in
from cli.errors import CommandError
from cli.login.terminal_input import TerminalInput
from cli.output import note


def edit_body(letter: DeadLetter, bucket: str) -> str | None:
    """Open a body in $EDITOR, again as long as it is invalid; return what was saved.

    Args:
        letter: The message.
        bucket: The archive.

    Returns:
        The new body as JSON; None if nothing was changed.

    Raises:
        CommandError: It is invalid, and the person gives up or cannot be asked.
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
            raise CommandError(f"not sent, and the message stays as it was: {why}")
    return None
