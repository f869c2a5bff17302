"""The Spotify app that reads the plays: its id and secret, and how to create one."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from cli.errors import CommandError
from cli.login.terminal_input import TerminalInput
from cli.output import note
from services.collector.credentials import Credentials
from shared.spotify.wire import Secret

DASHBOARD = "https://developer.spotify.com/dashboard"
SECRET_VARIABLE = "SPOTIFY_CLIENT_SECRET"  # noqa: S105 - the name of one

STEPS = """\
Spotify gives plays only to apps, so you need one of your own. It takes two minutes:
  1. Open {dashboard} and log in.
     The account that owns the app needs Spotify Premium as long as it is used.
  2. "Create app": any name and description, and
       Redirect URI    {redirect_uri}
       APIs used       Web API
     The redirect URI must be exactly this one; Spotify refuses "localhost".
  3. For the plays of another person than the app's owner: Settings > User Management, add
     the name and e-mail of their Spotify account (5 people at most).
  4. Copy the Client ID from the app's settings. A client secret is not needed.
"""

CLIENT_ID = re.compile("[0-9A-Fa-f]{32}")

_SECRET: TypeAdapter[str] = TypeAdapter(Secret)


# The value is not quoted, because it may be a secret that was pasted in the wrong place.
NO_CLIENT_ID = (
    "{source} is not a client id, which has 32 hexadecimal digits (0-9, a-f): copy it from "
    f"{DASHBOARD} > your app > Settings > Client ID"
)


@dataclass(frozen=True)
class DeveloperApp:
    """A Spotify app; its secret is empty if it uses PKCE without one."""

    client_id: str
    client_secret: str = field(default="", repr=False)


def find_app(
    client_id: str | None,
    known: Credentials | None,
    terminal: TerminalInput,
    *,
    secret_from_stdin: bool,
    redirect_uri: str,
    simulated: bool = False,
) -> DeveloperApp:
    """Return the Spotify app; ask for what no option, environment variable or stored login has.

    Args:
        client_id: From --client-id or SPOTIFY_CLIENT_ID, if given.
        known: The stored login, if there is one.
        terminal: Where to ask.
        secret_from_stdin: True if the next line of stdin is the client secret.
        redirect_uri: The redirect URI that the app must have.
        simulated: True for the simulator's app, whose id has another form than Spotify's.

    Raises:
        CommandError: A value is missing or has the wrong form.
    """
    secret = _given_secret(terminal) if secret_from_stdin else os.environ.get(SECRET_VARIABLE)
    if known and not (simulated or CLIENT_ID.fullmatch(known.client_id)):
        # The stored app is the simulator's, or is older than the check of ids.
        known = None
    source = "--client-id or SPOTIFY_CLIENT_ID" if client_id else "your input"
    client_id = client_id or (known.client_id if known else _ask_for_id(terminal, redirect_uri))
    if not (simulated or CLIENT_ID.fullmatch(client_id)):
        raise CommandError(NO_CLIENT_ID.format(source=source))
    if secret is None and known and known.client_id == client_id:
        secret = known.client_secret
    if secret is None and terminal.is_terminal:
        secret = terminal.ask_hidden("Client secret (not shown; just Enter if you use none): ")
    return DeveloperApp(
        _checked(client_id, "the client id"),
        _checked(secret, "the client secret") if secret else "",
    )


def _ask_for_id(terminal: TerminalInput, redirect_uri: str) -> str:
    note(STEPS.format(dashboard=DASHBOARD, redirect_uri=redirect_uri))
    if client_id := terminal.ask("Client ID: "):
        return client_id
    raise CommandError(
        "no client id was given: type it, pass --client-id, or set SPOTIFY_CLIENT_ID"
    )


def _given_secret(terminal: TerminalInput) -> str:
    if secret := terminal.line():
        return secret
    raise CommandError(
        "--client-secret-stdin needs the secret, but stdin is empty: pipe the secret in"
    )


def _checked(value: str, what: str) -> str:
    with suppress(ValidationError):
        return _SECRET.validate_python(value)
    # Outside of the block, because pydantic's error holds the value, which may be a secret.
    raise CommandError(
        f"{what} must be one word of ASCII letters, digits and punctuation: copy it from "
        f"{DASHBOARD} > your app > Settings"
    )
