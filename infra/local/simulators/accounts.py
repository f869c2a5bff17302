"""Spotify's accounts service: the consent page, and the token endpoint with its grant types.

The consent page has links to allow and to deny. They add `auto=allow` or `auto=deny` to the query,
so a test can follow the redirect without a browser.

Source:
    https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow
    https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens
    https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from html import escape
from urllib.parse import urlencode, urlsplit

from werkzeug import Request, Response
from werkzeug.utils import redirect

from infra.local.simulators.account import (
    ACCESS_TOKEN_S,
    CLIENT_ID,
    CLIENT_SECRET,
    AccessTokens,
    Grants,
)
from infra.local.simulators.refusals import oauth_error
from infra.local.simulators.scenarios import ActiveScenarios
from infra.local.simulators.server import json_response

SCOPE = "user-read-recently-played"
REDIRECT_PATH = "/callback"
"""The app's redirect URI is on the loopback without a port, so a request may add any port."""


@dataclass(frozen=True)
class _Consent:
    redirect_uri: str
    challenge: str


class Accounts:
    """The accounts service, with the consents whose codes have not been exchanged yet."""

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens
        self._grants = Grants()
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

    def token(self, active: ActiveScenarios, request: Request) -> Response:
        """Answer a token request: exchange its grant for an access token."""
        if not _is_known_client(request):
            return oauth_error("invalid_client", "Invalid client")
        match request.form.get("grant_type"):
            case "refresh_token":
                return self._refresh(active, request)
            case "authorization_code":
                return self._exchange_code(active, request)
            case "client_credentials" if request.authorization:
                return self._access_token(active)
            case "client_credentials":
                return oauth_error("invalid_client", "Invalid client secret")
        return oauth_error("unsupported_grant_type", "grant_type is not supported")

    def _refresh(self, active: ActiveScenarios, request: Request) -> Response:
        """Exchange a refresh token for an access token; replace it if refresh tokens rotate."""
        given = request.form.get("refresh_token", "")
        if complaint := self._grants.complaint(given):
            return oauth_error("invalid_grant", complaint)
        rotates = active.parameter("rotates", normally=0)
        rotated = {"refresh_token": self._grants.rotate(given)} if rotates else {}
        return self._access_token(active, scope=SCOPE, **rotated)

    def _exchange_code(self, active: ActiveScenarios, request: Request) -> Response:
        """Exchange an authorization code for tokens, only once.

        Refuse it if the redirect URI or the code verifier does not match the consent.
        """
        form = request.form
        consent = self._consents.pop(form.get("code", ""), None)
        if consent is None:
            return oauth_error("invalid_grant", "Invalid authorization code")
        if form.get("redirect_uri") != consent.redirect_uri:
            return oauth_error("invalid_grant", "Invalid redirect URI")
        if not hmac.compare_digest(_challenge(form.get("code_verifier", "")), consent.challenge):
            return oauth_error("invalid_grant", "code_verifier was incorrect")
        return self._access_token(active, scope=SCOPE, refresh_token=self._grants.issue())

    def _access_token(self, active: ActiveScenarios, **more: str) -> Response:
        lives_s = active.parameter("expires_in_s", ACCESS_TOKEN_S)
        token = self._tokens.issue(lives_s)
        return json_response(
            {"access_token": token, "token_type": "Bearer", "expires_in": lives_s, **more}
        )

    def _consent(self, request: Request) -> str:
        """Store a consent under a new authorization code."""
        code = f"AQC{secrets.token_urlsafe(96)}"
        self._consents[code] = _Consent(
            redirect_uri=request.args["redirect_uri"], challenge=request.args["code_challenge"]
        )
        return code


_DENIED = {"error": "access_denied"}


def _is_known_client(request: Request) -> bool:
    """True if the app authenticates itself: by Basic with its secret, or by its id alone (PKCE)."""
    given = request.authorization
    if given is None:
        return request.form.get("client_id") == CLIENT_ID
    return (given.username, given.password) == (CLIENT_ID, CLIENT_SECRET)


def _fault(request: Request) -> str | None:
    """Return what is wrong with a request for consent, in Spotify's words; None if it is valid."""
    asked = request.args
    redirect_uri = urlsplit(asked.get("redirect_uri", ""))
    rules = {
        "INVALID_CLIENT: Invalid client": asked.get("client_id") == CLIENT_ID,
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
