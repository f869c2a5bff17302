"""Asking a person, by way of their browser, whether the app may see what they play."""

import select
import time
from math import inf

from cli.browser import open_page
from cli.errors import CommandError
from cli.login.callback import CallbackServer
from cli.login.consent import Answer, Question
from cli.login.terminal_input import Typed
from cli.output import note

LOOK_S = 0.1
"""Time between two looks for the answer, which comes in another thread."""

GRACE_S = 0.5
"""A connection accepted just before the deadline has so long to bring the answer."""

OPENED = "Your browser opens a page of Spotify that asks you. If it does not, open it yourself:"
UNOPENED = "Open this page of Spotify, which asks you, in a browser on any machine:"
IF_REFUSED = """\
If it says "INVALID_CLIENT: Invalid redirect URI", add {redirect_uri}
to the redirect URIs in the app's settings, save, and open the page again."""
IF_ELSEWHERE = """\
If you agree and then see a page that cannot be loaded, the browser is on another machine.
Paste the address of that page here; it begins with {redirect_uri}?"""


def ask(address: str, question: Question, typed: Typed, *, browser: bool) -> None:
    """Show the consent page, or tell where it is, and what to do with its answer."""
    opened = browser and open_page(address)
    note(OPENED if opened else UNOPENED)
    note(f"\n{address}\n")
    note(IF_REFUSED.format(redirect_uri=question.redirect_uri))
    if typed.is_open:
        note(IF_ELSEWHERE.format(redirect_uri=question.redirect_uri))


def wait_for_code(
    server: CallbackServer, question: Question, typed: Typed, timeout_s: float
) -> str:
    """Wait for the answer: from the browser or pasted, whichever comes first; give its code.

    Raises:
        CommandError: The answer is no, or none came in time.
    """
    note(f"Waiting for the answer, up to {timeout_s:g} s ...")
    answer = _wait(server, question, typed, time.monotonic() + timeout_s)
    if answer is None:
        raise CommandError(
            f"no answer from Spotify's consent page within {timeout_s:g} s: no login was stored; "
            "run `plays login` again (--timeout SECONDS gives more time)"
        )
    if answer.code is None:
        why = "you said no" if answer.error == "access_denied" else f"it says {answer.error}"
        raise CommandError(
            f"Spotify gives no access: {why}; no login was stored, `plays login` asks again"
        )
    return answer.code


def _wait(
    server: CallbackServer, question: Question, typed: Typed, deadline: float
) -> Answer | None:
    accepted_at, left_s = -inf, inf
    while left_s > 0:
        # The last look is at the deadline or after it, and does not wait.
        left_s = max(0, deadline - time.monotonic())
        sources: list[CallbackServer | Typed] = [server, typed] if typed.is_open else [server]
        ready, _, _ = select.select(sources, [], [], min(left_s, LOOK_S))
        if typed in ready:
            typed.read()
        for line in filter(None, typed.lines()):
            if answer := question.read_address(line):
                return answer
            note("That is not the address that this login ended on: paste the whole of it.")
        if server in ready:
            server.handle_request()
            accepted_at = time.monotonic()
        if server.answer:
            return server.answer
    while server.answer is None and time.monotonic() < accepted_at + GRACE_S:
        time.sleep(GRACE_S / 100)
    return server.answer
