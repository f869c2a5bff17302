"""Spotify's consent page, and the exchange of its code for tokens, by PKCE.

The page has links to allow and to deny. They add `auto=allow` or `auto=deny` to the query, so a
test can follow the redirect without a browser.

Source:
    https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from werkzeug import Request, Response
from werkzeug.utils import redirect

from infra.local.simulators import account
from infra.local.simulators.accounts import SCOPE, listener_tokens
from infra.local.simulators.refusals import oauth_error
from infra.local.simulators.scenarios import ActiveScenarios
from infra.local.simulators.server import Clock

CODE_LIFETIME = timedelta(minutes=10)
REDIRECT_PATH = "/callback"
"""The app's redirect URI is on the loopback without a port, so a request may add any port."""


@dataclass(frozen=True)
class _Consent:
    redirect_uri: str
    challenge: str
    expires_at: datetime


class Authorization:
    """The consents whose codes have not been exchanged yet."""

    def __init__(self, clock: Clock, tokens: account.AccessTokens, grants: account.Grants) -> None:
        self._clock = clock
        self._tokens = tokens
        self._grants = grants
        self._consents: dict[str, _Consent] = {}

    def authorize(self, request: Request) -> Response:
        """Show the consent page, or redirect the browser with the choice."""
        if fault := _fault(request):
            return Response(fault, 400, mimetype="text/plain")
        choice = request.args.get("auto")
        if choice not in ("allow", "deny"):
            return Response(_page(request), mimetype="text/html")
        answer = {"code": self._consent(request)} if choice == "allow" else _DENIED
        query = urlencode(answer | {"state": request.args.get("state", "")})
        return redirect(f"{request.args['redirect_uri']}?{query}")

    def trade(self, active: ActiveScenarios, request: Request) -> Response:
        """Exchange a code for tokens, once; refuse it if the request does not match the consent."""
        form = request.form
        consent = self._consents.pop(form.get("code", ""), None)
        if consent is None:
            return oauth_error("invalid_grant", "Invalid authorization code")
        if self._clock() >= consent.expires_at:
            return oauth_error("invalid_grant", "Authorization code expired")
        if form.get("redirect_uri") != consent.redirect_uri:
            return oauth_error("invalid_grant", "Invalid redirect URI")
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")), consent.challenge):
            return oauth_error("invalid_grant", "code_verifier was incorrect")
        return listener_tokens(self._tokens, active, self._grants.issue())

    def _consent(self, request: Request) -> str:
        """Store a consent under a new code."""
        code = f"AQC{secrets.token_urlsafe(96)}"
        self._consents[code] = _Consent(
            redirect_uri=request.args["redirect_uri"],
            challenge=request.args["code_challenge"],
            expires_at=self._clock() + CODE_LIFETIME,
        )
        return code


_DENIED = {"error": "access_denied"}


def _fault(request: Request) -> str | None:
    """Return what is wrong with a request for consent, in Spotify's words; None if it is valid."""
    asked = request.args
    redirect_uri = urlsplit(asked.get("redirect_uri", ""))
    rules = {
        "INVALID_CLIENT: Invalid client": asked.get("client_id") == account.CLIENT_ID,
        # `localhost` is refused since 2025.
        "INVALID_CLIENT: Invalid redirect URI": redirect_uri.scheme == "http"
        and redirect_uri.hostname in ("127.0.0.1", "::1")
        and (redirect_uri.path, redirect_uri.query) == (REDIRECT_PATH, ""),
        "response_type must be code": asked.get("response_type") == "code",
        "INVALID_SCOPE: Invalid scope": asked.get("scope") == SCOPE,
        "code_challenge_method must be S256": asked.get("code_challenge_method") == "S256",
        "code_challenge must be specified": bool(asked.get("code_challenge")),
    }
    return next((fault for fault, kept in rules.items() if not kept), None)


def _page(request: Request) -> str:
    here = escape(f"{request.path}?{request.query_string.decode()}")
    return (
        "<!doctype html><title>Simulated Spotify</title>"
        "<h1>Simulated Spotify</h1><p>May the app see what was played recently?</p>"
        f'<p><a href="{here}&amp;auto=allow">Allow</a> <a href="{here}&amp;auto=deny">Deny</a></p>'
    )


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")
