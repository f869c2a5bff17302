"""From a consent to a login that is known to work: the code is traded, and Spotify asked once."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CommandError, explain
from cli.login.consent import Question
from cli.login.developer_app import DASHBOARD, SECRET_VARIABLE, DeveloperApp
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
"""What a person must do, by a word of Spotify's 403: "User not registered in the Developer
Dashboard", or "the user may not be registered"."""


@dataclass(frozen=True)
class Consent:
    """A yes: who asked, what exactly, and the code to trade."""

    app: DeveloperApp
    question: Question
    code: str = field(repr=False)


@dataclass(frozen=True)
class Trial:
    """One poll: how many plays Spotify showed, or the trouble that will pass by itself."""

    plays_shown: int | None = None
    trouble: str | None = None


def refuse_while_blocked(apps: SpotifyApps, client_id: str) -> None:
    """Make sure that Spotify takes calls of the app.

    Raises:
        CommandError: It does not; a call would prolong that.
        SettingsError: Nobody can tell.
    """
    app = apps.load(client_id)
    if app.is_blocked(datetime.now(UTC)):
        raise CommandError(f"{_wait(app)}; no login was stored, run `plays login` then")


def trade(accounts: SpotifyAccounts, apps: SpotifyApps, consent: Consent) -> Grant:
    """Trade the code of a consent for tokens, unless Spotify wants no calls of the app now.

    Raises:
        CommandError: Spotify gives none; tells what to do.
        SettingsError: Nobody can tell whether it wants calls.
    """
    app, question = consent.app, consent.question
    refuse_while_blocked(apps, app.client_id)
    try:
        return accounts.exchange(
            app.client_id,
            app.client_secret,
            code=consent.code,
            verifier=question.verifier,
            redirect_uri=question.redirect_uri,
        )
    except SpotifyLoginError as error:
        raise CommandError(f"{error}; run `plays login` again") from error
    except SpotifyAuthError as error:
        raise CommandError(
            f"{error}; compare client id, secret and redirect URI with the app's settings at "
            f"{DASHBOARD} "
            f"(another secret comes by --client-secret-stdin or {SECRET_VARIABLE})"
        ) from error
    except SpotifyRateLimitError as error:
        blocked = apps.throttle(app.client_id, error.retry_after_s, datetime.now(UTC))
        raise CommandError(
            f"{_wait(blocked)}; no login was stored, run `plays login` then"
        ) from error
    except SpotifyError as error:
        raise CommandError(f"{error}; no login was stored, run `plays login` later") from error


def poll_once(api: SpotifyApi, apps: SpotifyApps, client_id: str, access_token: str) -> Trial:
    """Ask Spotify for plays, once, unless it wants no calls of the app now.

    Raises:
        SpotifyAuthError: It shows none to this app or of this account.
    """
    try:
        return _poll(api, apps, client_id, access_token)
    except SpotifyAuthError:
        raise
    except (SpotifyError, SettingsError) as error:
        return Trial(trouble=str(error))
    except (BotoCoreError, ClientError) as error:
        return Trial(trouble=explain(error))


def _poll(api: SpotifyApi, apps: SpotifyApps, client_id: str, access_token: str) -> Trial:
    app = apps.load(client_id)
    if app.is_blocked(datetime.now(UTC)):
        return Trial(trouble=_wait(app))
    try:
        shown = api.recently_played(access_token).returned
    except SpotifyRateLimitError as error:
        app = apps.throttle(client_id, error.retry_after_s, datetime.now(UTC))
        return Trial(trouble=_wait(app))
    apps.answered(client_id, app)
    return Trial(plays_shown=shown)


def _wait(app: AppState) -> str:
    until = iso(app.blocked_until) if app.blocked_until else "an unknown time"
    return f"Spotify takes no calls of this app until {until}"


def remedy(error: SpotifyAuthError) -> str:
    """Tell what to do about plays that Spotify does not show, and quote it."""
    said = str(error)
    ways = (way for word, way in REMEDIES.items() if word in said.lower())
    return f"{next(ways, 'Spotify shows no plays')} ({said})"
