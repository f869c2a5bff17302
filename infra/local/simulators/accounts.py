"""Spotify's accounts service: the token endpoint, with its grant types.

Source:
    https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens
    https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from werkzeug import Request, Response

from infra.local.simulators import account, wire
from infra.local.simulators.refusals import api_error, oauth_error
from infra.local.simulators.scenarios import ActiveScenarios
from infra.local.simulators.server import json_response

SCOPE = "user-read-recently-played"

GrantType = Callable[[ActiveScenarios, Request], Response]
"""Answers a token request from a known app."""


def token(
    grant_types: Mapping[str, GrantType], active: ActiveScenarios, request: Request
) -> Response:
    """Exchange a grant for an access token."""
    if not _known_client(request):
        return oauth_error("invalid_client", "Invalid client")
    grant_type = grant_types.get(request.form.get("grant_type", ""))
    if grant_type is None:
        told = " or ".join(grant_types)
        return oauth_error("unsupported_grant_type", f"grant_type must be {told}")
    return grant_type(active, request)


def refresh(
    tokens: account.AccessTokens,
    grants: account.Grants,
    active: ActiveScenarios,
    request: Request,
) -> Response:
    """Exchange a refresh token for an access token; replace it, too, if refresh tokens rotate."""
    given = request.form.get("refresh_token")
    complaint = grants.complaint(given)
    if given is None or complaint:
        return oauth_error("invalid_grant", complaint or "refresh_token must be supplied")
    rotates = active.parameter("rotates", normally=0)
    return listener_tokens(tokens, active, grants.rotate(given) if rotates else None)


def listener_tokens(
    tokens: account.AccessTokens, active: ActiveScenarios, refresh_token: str | None
) -> Response:
    """Return an access token with the listener's scope, and the refresh token if it is new."""
    lives_s = active.parameter("expires_in_s", account.ACCESS_TOKEN_S)
    body = {**_bearer(tokens.issue(lives_s), lives_s), "scope": SCOPE}
    return json_response(body | ({"refresh_token": refresh_token} if refresh_token else {}))


def client_credentials(
    tokens: account.AccessTokens, active: ActiveScenarios, request: Request
) -> Response:
    """Return a token of the app itself, which gives access to the catalogue only."""
    if request.authorization is None:
        return oauth_error("invalid_client", "Invalid client secret")
    lives_s = active.parameter("expires_in_s", account.ACCESS_TOKEN_S)
    return json_response(_bearer(tokens.issue(lives_s, of_listener=False), lives_s))


def set_grant(grants: account.Grants, request: Request) -> Response:
    """Set the time of consent for all refresh tokens: `{"authorized_at": INSTANT}`."""
    try:
        grants.authorize(wire.instant(request.get_json()["authorized_at"]))
    except (KeyError, TypeError, ValueError) as error:
        return api_error(400, f"authorized_at must be an instant: {error!r}")
    return json_response({})


def _bearer(access_token: str, lives_s: int) -> dict[str, Any]:
    return {"access_token": access_token, "token_type": "Bearer", "expires_in": lives_s}


def _known_client(request: Request) -> bool:
    """True if the app authenticates itself: by Basic with its secret, or by its id alone (PKCE)."""
    given = request.authorization
    if given is None:
        return _same(request.form.get("client_id"), account.CLIENT_ID)
    return _same(given.username, account.CLIENT_ID) and _same(given.password, account.CLIENT_SECRET)


def _same(given: str | None, expected: str) -> bool:
    """True if a credential is the expected one; compares in constant time."""
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())
