"""Exchange the code of a consent for tokens, and test them with one poll."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CommandError, explain
from cli.login.developer_app import DASHBOARD, SECRET_VARIABLE, DeveloperApp
from cli.login.pkce import ConsentRequest
from shared.errors import (
    SettingsError,
    SpotifyAuthError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
)
from shared.models import iso
from shared.spotify.api import SpotifyAccounts, SpotifyApi
from shared.spotify.rate_limits import AppState, SpotifyApps
from shared.spotify.wire import Grant

REMEDIES = {
    "registered": "this account is not on the app's list: add its name and e-mail at "
    f"{DASHBOARD} > your app > Settings > User Management",
    "premium": "the account that owns the app has no active Premium: renew it; after that "
    "Spotify needs up to a few hours",
}
"""What to do, by a word in Spotify's 403, such as "User not registered in the Developer
Dashboard" or "the user may not be registered"."""


AGAIN_THEN = "so no login was stored: run `plays login` after that"


@dataclass(frozen=True)
class Consent:
    """A person's consent: the app, its request, and the code to exchange."""

    app: DeveloperApp
    request: ConsentRequest
    code: str = field(repr=False)


@dataclass(frozen=True)
class LoginTest:
    """The result of one poll: the number of plays, or a temporary problem."""

    plays_shown: int | None = None
    trouble: str | None = None


def require_no_rate_limit(apps: SpotifyApps, client_id: str) -> None:
    """Check that the app is not rate-limited.

    Raises:
        CommandError: It is rate-limited, and a call would extend the limit.
        SettingsError: The app's state cannot be read.
    """
    app = apps.load(client_id)
    if app.is_blocked(datetime.now(UTC)):
        raise CommandError(f"{_rate_limit(app)}, {AGAIN_THEN}")


def exchange(accounts: SpotifyAccounts, apps: SpotifyApps, consent: Consent) -> Grant:
    """Exchange the code of a consent for tokens, unless the app is rate-limited.

    Raises:
        CommandError: Spotify issues no tokens; the message says what to do.
        SettingsError: The app's state cannot be read.
    """
    app, request = consent.app, consent.request
    require_no_rate_limit(apps, app.client_id)
    try:
        return accounts.exchange(
            app.client_id,
            app.client_secret,
            code=consent.code,
            verifier=request.verifier,
            redirect_uri=request.redirect_uri,
        )
    except SpotifyLoginError as error:
        raise CommandError(f"{error}; run `plays login` again") from error
    except SpotifyAuthError as error:
        raise CommandError(
            f"{error}; compare client id, secret and redirect URI with the app's settings at "
            f"{DASHBOARD} "
            f"(pass another secret by --client-secret-stdin or {SECRET_VARIABLE})"
        ) from error
    except SpotifyRateLimitError as error:
        limited = apps.throttle(app.client_id, error.retry_after_s, datetime.now(UTC))
        raise CommandError(f"{_rate_limit(limited)}, {AGAIN_THEN}") from error
    except SpotifyError as error:
        raise CommandError(f"{error}; no login was stored: run `plays login` later") from error


def poll_once(api: SpotifyApi, apps: SpotifyApps, client_id: str, access_token: str) -> LoginTest:
    """Poll Spotify once, unless the app is rate-limited.

    Raises:
        SpotifyAuthError: Spotify gives this app no plays of this account.
    """
    try:
        return _poll(api, apps, client_id, access_token)
    except SpotifyAuthError:
        raise
    except (SpotifyError, SettingsError) as error:
        return LoginTest(trouble=str(error))
    except (BotoCoreError, ClientError) as error:
        return LoginTest(trouble=explain(error))


def _poll(api: SpotifyApi, apps: SpotifyApps, client_id: str, access_token: str) -> LoginTest:
    app = apps.load(client_id)
    if app.is_blocked(datetime.now(UTC)):
        return LoginTest(trouble=_rate_limit(app))
    try:
        shown = api.recently_played(access_token).returned
    except SpotifyRateLimitError as error:
        app = apps.throttle(client_id, error.retry_after_s, datetime.now(UTC))
        return LoginTest(trouble=_rate_limit(app))
    apps.answered(client_id, app)
    return LoginTest(plays_shown=shown)


def _rate_limit(app: AppState) -> str:
    until = iso(app.blocked_until) if app.blocked_until else "an unknown time"
    return f"Spotify rate-limits this app until {until}"


def remedy(error: SpotifyAuthError) -> str:
    """Return what to do if Spotify refuses the plays, with its message."""
    message = str(error)
    ways = (way for word, way in REMEDIES.items() if word in message.lower())
    return f"{next(ways, 'Spotify gives no plays')} ({message})"
