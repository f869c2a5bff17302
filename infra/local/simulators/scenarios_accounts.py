"""The scenarios of Spotify's accounts service.

Clients keep their access tokens for up to an hour, and would not meet them before that. So all
tokens that were handed out end when one begins.
"""

from functools import partial

from infra.local.simulators.refusals import oauth_error, plain_text
from infra.local.simulators.scenarios import Scenario, refuse_by

TOKEN_PATH = "/api/token"  # noqa: S105 - a path

ACCOUNTS = {
    "rotated-refresh-token": Scenario(
        "Each refresh gives another refresh token, and the old one dies (as before mid-2026).",
        path=TOKEN_PATH,
        parameters={"rotates": 1},
    ),
    "short-lived-token": Scenario(
        "Access tokens expire soon; the web API answers 401 from then on.",
        path=TOKEN_PATH,
        parameters={"expires_in_s": 60},
    ),
    "refresh-token-revoked": Scenario(
        "The listener took the app's right away: 400 invalid_grant. An outage looks the same.",
        path=TOKEN_PATH,
        refuse=refuse_by(partial(oauth_error, "invalid_grant", "Refresh token revoked")),
    ),
    "refresh-token-expired": Scenario(
        "Six months are over since the login: 400 invalid_grant.",
        path=TOKEN_PATH,
        refuse=refuse_by(partial(oauth_error, "invalid_grant", "Refresh token expired")),
    ),
    "invalid-client": Scenario(
        "The app's id or secret is not accepted: 400 invalid_client.",
        path=TOKEN_PATH,
        refuse=refuse_by(partial(oauth_error, "invalid_client", "Invalid client")),
    ),
    "accounts-down": Scenario(
        "The accounts service answers 503, which says nothing about the refresh token.",
        path=TOKEN_PATH,
        refuse=refuse_by(partial(plain_text, 503, "upstream connect error")),
    ),
}
