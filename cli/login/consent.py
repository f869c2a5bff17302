"""The question that Spotify's consent page is to ask, and the answer that comes back; pure.

Whoever reads along in the browser gets a code that only this process can trade: it keeps the
verifier whose SHA-256 went with the question (PKCE). The state ties the answer to the question.

Source:
    https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

SCOPE = "user-read-recently-played"
HOST = "127.0.0.1"
PATH = "/callback"


def redirect_uri(port: int) -> str:
    """Name where the answer is to come; Spotify refuses `localhost`, and hyphens in the path."""
    return f"http://{HOST}:{port}{PATH}"


@dataclass(frozen=True)
class Answer:
    """What was chosen: a code to trade, or the reason why there is none."""

    code: str | None = field(default=None, repr=False)
    error: str | None = None


@dataclass(frozen=True)
class Question:
    """One login under way; state and verifier are its own."""

    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    def address(self, accounts_url: str, client_id: str, *, show_dialog: bool) -> str:
        """Spell the address of the consent page.

        Args:
            accounts_url: `https://accounts.spotify.com`, or a simulator's.
            client_id: Who asks.
            show_dialog: Ask even who has agreed before, so that they may change the account.
        """
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "client_id": client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": self.state,
            "code_challenge_method": "S256",
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
            "show_dialog": str(show_dialog).lower(),
        }
        return f"{accounts_url.rstrip('/')}/authorize?{urlencode(asked)}"

    def read(self, query: str) -> Answer | None:
        """Read the query of a redirect; None if it answers another question, or none."""
        values = {name: given[0] for name, given in parse_qs(query).items()}
        if not hmac.compare_digest(values.get("state", "").encode(), self.state.encode()):
            return None
        if code := values.get("code"):
            return Answer(code=code)
        error = values.get("error", "")
        # It goes to a terminal, which would obey some characters.
        return Answer(error=error if re.fullmatch("[a-z_]{1,40}", error) else "no reason given")

    def read_address(self, line: str) -> Answer | None:
        """Read a pasted line: the whole address that the browser ended on."""
        return self.read(line.strip().partition("?")[2].partition("#")[0])
