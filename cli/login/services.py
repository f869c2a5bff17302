"""The services that a login uses: Spotify, the listener's secret and the collector's state."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from botocore.exceptions import BotoCoreError, ClientError

from cli.login.spotify_target import SpotifyUrls
from cli.login.token_exchange import Consent, LoginTest, exchange, poll_once
from cli.target import Target
from services.collector.credentials import Credentials, CredentialStore
from services.collector.state import ListenerStates
from shared.errors import SettingsError
from shared.spotify.api import SpotifyAccounts, SpotifyApi, open_session
from shared.spotify.rate_limits import SpotifyApps
from shared.spotify.wire import Grant


@dataclass(frozen=True)
class LoginServices:
    """Spotify, the listeners' secrets, and the stored state of apps and listeners."""

    urls: SpotifyUrls
    store: CredentialStore
    apps: SpotifyApps
    states: ListenerStates

    @classmethod
    def of(cls, target: Target, urls: SpotifyUrls) -> "LoginServices":
        """Return the services of a target."""
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

    def exchange(self, consent: Consent) -> Grant:
        """Exchange the code of a consent for tokens; raises as `token_exchange.exchange`."""
        with self._session() as session:
            return exchange(SpotifyAccounts(session, self.urls.accounts_url), self.apps, consent)

    def poll_once(self, client_id: str, access_token: str) -> LoginTest:
        """Test a login with one poll; raises as `token_exchange.poll_once`."""
        with self._session() as session:
            api = SpotifyApi(session, self.urls.api_url)
            return poll_once(api, self.apps, client_id, access_token)

    def may_work(self, listener: str, login: Credentials) -> bool:
        """True unless a login is expired or known to be refused."""
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
