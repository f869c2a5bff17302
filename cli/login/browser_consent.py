"""Ask a person in their browser whether the app may read what they play."""

import select
import time

from cli.browser import open_page
from cli.errors import CommandError
from cli.login.callback_server import CallbackServer
from cli.login.pkce import ConsentAnswer, ConsentRequest
from cli.login.terminal_input import TerminalInput
from cli.output import note

CHECK_S = 0.1
"""Time between two checks for the answer, which arrives in another thread."""

OPENED = "Your browser opens Spotify's consent page. If it does not, open it yourself:"
UNOPENED = "Open Spotify's consent page in a browser on any machine:"
IF_REFUSED = """\
If it says "INVALID_CLIENT: Invalid redirect URI", add {redirect_uri}
to the redirect URIs in the app's settings, save, and open the page again."""
IF_ELSEWHERE = """\
If you agree and then see a page that cannot be loaded, the browser is on another machine.
Paste the address of that page here; it begins with {redirect_uri}?"""


def show_consent_page(
    url: str, request: ConsentRequest, terminal: TerminalInput, *, browser: bool
) -> None:
    """Open the consent page, print its URL, and explain what to do if no redirect arrives."""
    opened = browser and open_page(url)
    note(OPENED if opened else UNOPENED)
    note(f"\n{url}\n")
    note(IF_REFUSED.format(redirect_uri=request.redirect_uri))
    if terminal.is_open:
        note(IF_ELSEWHERE.format(redirect_uri=request.redirect_uri))


def wait_for_code(
    server: CallbackServer, request: ConsentRequest, terminal: TerminalInput, timeout_s: float
) -> str:
    """Wait for the redirect of the consent page, or its pasted URL; return the code in it.

    Raises:
        CommandError: The person declined, or did not answer in time.
    """
    note(f"Waiting for the answer, up to {timeout_s:g} s ...")
    answer = _wait(server, request, terminal, time.monotonic() + timeout_s)
    if answer is None:
        raise CommandError(
            f"no answer from Spotify's consent page within {timeout_s:g} s, so no login was "
            "stored: run `plays login` again (--timeout SECONDS waits longer)"
        )
    if answer.code is None:
        why = "you declined" if answer.error == "access_denied" else f"its reason: {answer.error}"
        raise CommandError(
            f"Spotify gave no access ({why}), so no login was stored: run `plays login` to try "
            "again"
        )
    return answer.code


def _wait(
    server: CallbackServer, request: ConsentRequest, terminal: TerminalInput, deadline: float
) -> ConsentAnswer | None:
    while server.answer is None and time.monotonic() < deadline:
        sources: list[CallbackServer | TerminalInput] = [server, *[terminal] * terminal.is_open]
        ready, _, _ = select.select(sources, [], [], CHECK_S)
        if server in ready:
            server.handle_request()
        if terminal in ready:
            terminal.read()
        for line in filter(None, terminal.lines()):
            if answer := request.read_url(line):
                return answer
            note("This is not the address of the page that cannot be loaded: paste all of it.")
    return server.answer
