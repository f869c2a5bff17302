"""The request to Spotify's consent page and its answer, by OAuth with PKCE; without I/O.

An intercepted code is useless to others, because only this process knows the verifier whose SHA-256
was in the request. The state ties the answer to the request.

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
    """Return the redirect URI; Spotify rejects `localhost`, and hyphens in the path."""
    return f"http://{HOST}:{port}{PATH}"


@dataclass(frozen=True)
class ConsentAnswer:
    """The person's decision: a code to exchange for tokens, or the reason why there is none."""

    code: str | None = field(default=None, repr=False)
    error: str | None = None


@dataclass(frozen=True)
class ConsentRequest:
    """The request of one login, with a random OAuth state and PKCE verifier."""

    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(64), repr=False)

    def url(self, accounts_url: str, client_id: str, *, show_dialog: bool) -> str:
        """Return the URL of the consent page.

        Args:
            accounts_url: `https://accounts.spotify.com`, or a simulator's.
            client_id: The app's client ID.
            show_dialog: Show the page even to a person who agreed before, so that they can choose
                another account.
        """
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "client_id": client_id,
            "response_type": "code",
            "redirect_uri": self.redirect_uri,
            "scope": SCOPE,
            "state": self.state,
            "code_challenge_method": "S256",
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
            "show_dialog": str(show_dialog).lower(),
        }
        return f"{accounts_url.rstrip('/')}/authorize?{urlencode(query)}"

    def read(self, query: str) -> ConsentAnswer | None:
        """Parse the query of a redirect; return None if its state is not that of this request."""
        values = {name: given[0] for name, given in parse_qs(query).items()}
        if not hmac.compare_digest(values.get("state", "").encode(), self.state.encode()):
            return None
        if code := values.get("code"):
            return ConsentAnswer(code=code)
        error = values.get("error", "")
        # It is printed to a terminal, so it must not hold control characters.
        return ConsentAnswer(
            error=error if re.fullmatch("[a-z_]{1,40}", error) else "no reason given"
        )

    def read_url(self, line: str) -> ConsentAnswer | None:
        """Parse a pasted line: the whole URL to which Spotify redirected the browser."""
        return self.read(line.strip().partition("?")[2].partition("#")[0])
