"""The app at Spotify in whose name plays are read: who it is, and how to make one."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from cli.errors import CommandError
from cli.login.terminal_input import Typed
from cli.output import note
from services.collector.credentials import Credentials
from shared.spotify.wire import Secret

DASHBOARD = "https://developer.spotify.com/dashboard"
SECRET_VARIABLE = "SPOTIFY_CLIENT_SECRET"  # noqa: S105 - the name of one

STEPS = """\
Spotify shows plays to an app only, so you need one of your own. It takes two minutes:
  1. Open {dashboard} and log in.
     The account that owns the app needs Spotify Premium, now and later.
  2. "Create app": any name and description, and
       Redirect URI    {redirect_uri}
       APIs used       Web API
     The redirect URI must be exactly this one; Spotify refuses "localhost".
  3. Plays of somebody else than the app's owner: Settings > User Management, add the
     name and the e-mail of their Spotify account (5 people at most).
  4. Copy the Client ID from the app's settings. A client secret is not needed.
"""

CLIENT_ID = re.compile("[0-9A-Fa-f]{32}")

_SECRET: TypeAdapter[str] = TypeAdapter(Secret)


# What was given is not quoted: it may be a secret that was pasted in the wrong place.
NO_CLIENT_ID = (
    "{source} is not a client id, which has 32 hexadecimal digits (0-9, a-f): copy it from "
    f"{DASHBOARD} > your app > Settings > Client ID"
)


@dataclass(frozen=True)
class DeveloperApp:
    """An app; the secret is empty where it logs in by PKCE alone."""

    client_id: str
    client_secret: str = field(default="", repr=False)


def find_app(
    client_id: str | None,
    known: Credentials | None,
    typed: Typed,
    *,
    secret_from_stdin: bool,
    redirect_uri: str,
    simulated: bool = False,
) -> DeveloperApp:
    """Find out which app it is, asking only for what nobody has told.

    Args:
        client_id: As an option or a variable gave it.
        known: The login of before, if there was any.
        typed: Who is asked.
        secret_from_stdin: Whether the next line that is typed is the client secret.
        redirect_uri: What the app must admit.
        simulated: Whether it is the simulator's app, whose id has another form than Spotify's.

    Raises:
        CommandError: Something is missing, or cannot be what it should be.
    """
    secret = _given_secret(typed) if secret_from_stdin else os.environ.get(SECRET_VARIABLE)
    if known and not (simulated or CLIENT_ID.fullmatch(known.client_id)):
        # The simulator's, or one that was stored before it was checked.
        known = None
    source = "--client-id or SPOTIFY_CLIENT_ID" if client_id else "what was typed"
    client_id = client_id or (known.client_id if known else _ask_for_id(typed, redirect_uri))
    if not (simulated or CLIENT_ID.fullmatch(client_id)):
        raise CommandError(NO_CLIENT_ID.format(source=source))
    if secret is None and known and known.client_id == client_id:
        secret = known.client_secret
    if secret is None and typed.is_terminal:
        secret = typed.ask_hidden("Client secret (not shown; just Enter if you use none): ")
    return DeveloperApp(
        _checked(client_id, "the client id"),
        _checked(secret, "the client secret") if secret else "",
    )


def _ask_for_id(typed: Typed, redirect_uri: str) -> str:
    note(STEPS.format(dashboard=DASHBOARD, redirect_uri=redirect_uri))
    if client_id := typed.ask("Client ID: "):
        return client_id
    raise CommandError("no client id: type it, pass --client-id, or set SPOTIFY_CLIENT_ID")


def _given_secret(typed: Typed) -> str:
    if secret := typed.line():
        return secret
    raise CommandError("--client-secret-stdin was given, but no line came on stdin")


def _checked(value: str, what: str) -> str:
    with suppress(ValidationError):
        return _SECRET.validate_python(value)
    # Outside of the block: the error of pydantic holds the value, which may be a secret.
    raise CommandError(f"{what} must be one word of plain letters, digits and signs")
