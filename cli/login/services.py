"""The services that a login uses: Spotify, the listener's secret and the collector's state.

The authorization code is exchanged for tokens, and the access token is tested with one poll.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import CommandError, explain
from cli.login.developer_app import DASHBOARD, SECRET_VARIABLE, DeveloperApp
from cli.login.pkce import ConsentRequest
from cli.login.spotify_target import SpotifyUrls
from cli.target import Target
from services.collector.credentials import Credentials, CredentialStore
from services.collector.state import ListenerStates
from shared.errors import (
    SettingsError,
    SpotifyAuthError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
)
from shared.models import iso
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
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

LOG_IN_LATER = "so no login was stored: run `plays login` after that"


@dataclass(frozen=True)
class Consent:
    """A person's consent: the app, its request, and the authorization code to exchange."""

    app: DeveloperApp
    request: ConsentRequest
    code: str = field(repr=False)


@dataclass(frozen=True)
class LoginTest:
    """The result of a test poll: the number of plays, or a temporary problem."""

    plays_shown: int | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class LoginServices:
    """Spotify, the listeners' secrets, and the stored state of apps and listeners."""

    urls: SpotifyUrls
    store: CredentialStore
    apps: SpotifyApps
    states: ListenerStates

    @classmethod
    def of(cls, target: Target, urls: SpotifyUrls) -> "LoginServices":
        """Return the services of a login that the target stores, with Spotify at these URLs."""
        dynamodb = target.client("dynamodb")
        return cls(
            urls,
            CredentialStore(target.client("secretsmanager"), target.output("ListenerSecretPrefix")),
            SpotifyApps(dynamodb, target.output("SpotifyAppTable")),
            ListenerStates(dynamodb, target.output("ListenerStateTable")),
        )

    def stored_login(self, listener: str) -> Credentials | None:
        """Return the stored login; None if there is none or it is unreadable."""
        try:
            return self.store.load(listener)
        except SettingsError:
            # The new login repairs it.
            return None

    def require_no_rate_limit(self, client_id: str) -> None:
        """Check that the app is not rate-limited.

        Raises:
            CommandError: The app is rate-limited, and a call would extend the limit.
            SettingsError: The app's stored rate limit cannot be read.
        """
        app = self.apps.load(client_id)
        if app.is_blocked(datetime.now(UTC)):
            raise CommandError(f"{_rate_limit(app)}, {LOG_IN_LATER}")

    def exchange(self, consent: Consent) -> Grant:
        """Exchange the code of a consent for tokens, unless the app is rate-limited.

        Raises:
            CommandError: The app is rate-limited, or Spotify issues no tokens.
            SettingsError: The app's stored rate limit cannot be read.
        """
        app, request = consent.app, consent.request
        self.require_no_rate_limit(app.client_id)
        try:
            with self._session() as session:
                return SpotifyAccounts(session, self.urls.accounts_url).exchange(
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
            limited = self.apps.throttle(app.client_id, error.retry_after_s, datetime.now(UTC))
            raise CommandError(f"{_rate_limit(limited)}, {LOG_IN_LATER}") from error
        except SpotifyError as error:
            raise CommandError(f"{error}; no login was stored: run `plays login` later") from error

    def poll_once(self, client_id: str, access_token: str) -> LoginTest:
        """Test a login with one poll, unless the app is rate-limited.

        Raises:
            SpotifyAuthError: Spotify refuses this app the plays of the account.
        """
        try:
            return self._poll(client_id, access_token)
        except SpotifyAuthError:
            raise
        except (SpotifyError, SettingsError) as error:
            return LoginTest(trouble=str(error))
        except (BotoCoreError, ClientError) as error:
            return LoginTest(trouble=explain(error))

    def _poll(self, client_id: str, access_token: str) -> LoginTest:
        app = self.apps.load(client_id)
        if app.is_blocked(datetime.now(UTC)):
            return LoginTest(trouble=_rate_limit(app))
        try:
            with self._session() as session:
                shown = SpotifyApi(session, self.urls.api_url).recently_played(access_token)
        except SpotifyRateLimitError as error:
            app = self.apps.throttle(client_id, error.retry_after_s, datetime.now(UTC))
            return LoginTest(trouble=_rate_limit(app))
        self.apps.answered(client_id, app)
        return LoginTest(plays_shown=shown.returned)

    def may_work(self, listener: str, login: Credentials) -> bool:
        """True unless a login is expired, or Spotify is known to have refused it."""
        if not login.days_left(datetime.now(UTC)):
            return False
        try:
            return not self.states.load(listener).is_refused(login.fingerprint)
        except (SettingsError, BotoCoreError, ClientError):
            # Without the state, no refusal is known.
            return True

    @contextmanager
    def _session(self) -> Iterator[requests.Session]:
        with open_session() as session:
            # A proxy cannot reach a simulator on this machine.
            session.trust_env = not self.urls.is_local
            yield session


def _rate_limit(app: AppState) -> str:
    until = iso(app.blocked_until) if app.blocked_until else "an unknown time"
    return f"Spotify rate-limits this app until {until}"


def remedy(error: SpotifyAuthError) -> str:
    """Return what to do after Spotify refused a poll, and Spotify's message."""
    message = str(error)
    ways = (way for word, way in REMEDIES.items() if word in message.lower())
    return f"{next(ways, 'Spotify gives no plays')} ({message})"
