"""Calls to Spotify as an app: its access token, its rate limit, and Spotify's refusals.

Polls and these calls share one rate limit, because Spotify counts all calls of an app together.
Polls have precedence, because a play that no poll fetches is lost, while features can wait. So each
call first reads the stored rate limit of the app. It is not made during a rate limit, nor in the
hour after it, which is reserved for polls (docs/adr/0006-blocks-belong-to-the-app.md).
"""

import math
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.enricher.sources.source import (
    CallForbiddenError,
    RequestRejectedError,
    SourceOffError,
)
from shared.errors import (
    FeatureSourceError,
    SettingsError,
    SpotifyAuthError,
    SpotifyEndpointError,
    SpotifyError,
    SpotifyRateLimitError,
    SpotifyRequestError,
    SpotifyTokenError,
)
from shared.spotify.api import SpotifyAccounts
from shared.spotify.login import KeptToken, keep, read_secret
from shared.spotify.rate_limits import LIVE_CAPTURE_LEAD, AppState, SpotifyApps
from shared.spotify.wire import Secret

ACCOUNT_WAIT_S = 6 * 3_600
"""The retry delay, in seconds, after a 403 that is not about the call itself. Spotify says that
access returns "a few hours" after Premium is paid again."""

_T = TypeVar("_T")


class _App(BaseModel):
    """The id and secret of a Spotify app; asking for features needs no token of a listener."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    client_id: Secret
    client_secret: Annotated[Secret, Field(repr=False)]


class SpotifyCalls:
    """Makes calls to Spotify as the app in one secret."""

    def __init__(
        self,
        *,
        secretsmanager: Any,
        secret: str,
        accounts: SpotifyAccounts,
        apps: SpotifyApps,
        daily_calls: int,
        now: Callable[[], datetime],
    ) -> None:
        self._secretsmanager = secretsmanager
        self._secret = secret
        self._accounts = accounts
        self._apps = apps
        self._daily_calls = daily_calls
        self._now = now
        self._app: _App | None = None
        self._token: KeptToken | None = None

    def make(self, call: Callable[[str], _T], *, forbids_all: bool = False) -> _T:
        """Make a call with an access token, if the rate limit and the daily budget allow it.

        Args:
            call: Calls Spotify once, with an access token.
            forbids_all: True if a 403 of this call means that the app gets no audio features.
                It is then stored for every container.

        Raises:
            SourceOffError: Spotify gives the app no features, or the secret holds no app.
            CallForbiddenError: The app may not make this call.
            RequestRejectedError: Spotify rejected the content of the request.
            FeatureSourceError: The app is rate-limited, its daily budget of calls is used up, or
                Spotify or AWS did not answer.
        """
        try:
            return self._make(call, forbids_all=forbids_all)
        except SourceOffError:
            self._forget()
            raise
        except SettingsError as error:
            self._forget()
            raise SourceOffError(str(error)) from error
        except SpotifyRequestError as error:
            raise RequestRejectedError(str(error)) from error
        except SpotifyTokenError as error:
            raise FeatureSourceError(str(error)) from error
        except SpotifyAuthError as error:
            raise FeatureSourceError(str(error), ACCOUNT_WAIT_S) from error
        except (SpotifyError, BotoCoreError, ClientError) as error:
            raise FeatureSourceError(str(error)) from error

    def _make(self, call: Callable[[str], _T], *, forbids_all: bool) -> _T:
        app = self._app = self._app or self._read_app()
        self._check(self._apps.load(app.client_id))
        try:
            return self._with_token(app, call)
        except SpotifyRateLimitError as error:
            state = self._apps.throttle(app.client_id, error.retry_after_s, self._now())
            raise self._blocked(state) from error
        except SpotifyEndpointError as error:
            if not forbids_all:
                raise CallForbiddenError(str(error)) from error
            self._apps.forbid_features(app.client_id, self._now())
            raise SourceOffError(
                f"{error}; no function asks Spotify for features again for a day"
            ) from error

    def _forget(self) -> None:
        """Forget the app and its token; the next call reads the secret, which may have changed."""
        self._app = self._token = None

    def _read_app(self) -> _App:
        with suppress(ValidationError):
            return _App.model_validate_json(read_secret(self._secretsmanager, self._secret) or "")
        # Outside the `except` block, because the error of pydantic holds the secret.
        raise SettingsError(
            f"secret {self._secret} holds no client_id with a client_secret: run `plays login` "
            "with both, or remove spotify from feature_sources"
        )

    def _check(self, state: AppState) -> None:
        if state.forbids_features(self._now()):
            raise SourceOffError("Spotify gives this app no audio features")
        if state.is_blocked_for_others(self._now()):
            raise self._blocked(state)

    def _blocked(self, state: AppState) -> FeatureSourceError:
        """Return the error for a rate limit; its wait includes the time reserved for polls."""
        until = (state.blocked_until or self._now()) + LIVE_CAPTURE_LEAD
        reason = "no calls for features during a rate limit and the hour after it"
        return self._closed(reason, until)

    def _closed(self, reason: str, until: datetime) -> FeatureSourceError:
        return FeatureSourceError(reason, math.ceil((until - self._now()).total_seconds()))

    def _with_token(self, app: _App, call: Callable[[str], _T]) -> _T:
        try:
            return self._call(app, call)
        except SpotifyTokenError:
            # A kept token may be revoked before it expires; retry once with a fresh one.
            self._token = None
            return self._call(app, call)

    def _call(self, app: _App, call: Callable[[str], _T]) -> _T:
        token = self._access_token(app)
        until = self._apps.spend(app.client_id, 1, self._now(), self._daily_calls)
        if until is not None:
            raise self._closed(
                "the daily budget of calls to Spotify for features is used up", until
            )
        return call(token)

    def _access_token(self, app: _App) -> str:
        asked_at = self._now()
        if self._token is None or not self._token.serves(app.client_id, asked_at):
            try:
                grant = self._accounts.client_credentials(app.client_id, app.client_secret)
            except SpotifyAuthError as error:
                raise SourceOffError(str(error)) from error
            self._token = keep(grant, app.client_id, asked_at)
        return self._token.text
