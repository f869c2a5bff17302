"""Every error this project raises.

HistoryError
├── SettingsError                a variable or secret is missing or wrong: fix the deployment
├── MessageError                 a queue message does not fit its model
├── UploadError                  an uploaded file cannot be read as listening history at all
├── DatabaseError                Postgres could not be used; see __cause__
│   ├── DatabaseAwayError        it cannot serve now: the same work may succeed later
│   │   └── DatabaseLoginError   it does not know us: read the login again
│   ├── DatabaseRefusalError     the data, or its amount, was refused: do not retry
│   └── QueryError               a person's statement was refused; the message says why
├── SpotifyError                 Spotify did not answer as documented, or not at all: try later
│   ├── SpotifyAuthError         the app or the account is not allowed: a person must act
│   │   ├── SpotifyTokenError    401: the access token is not accepted; a fresh one may be
│   │   ├── SpotifyEndpointError 403 of one call: the app may not make it, whoever asks
│   │   └── SpotifyLoginError    the grant is dead: the listener must log in again
│   ├── SpotifyRequestError      400: what the request says; others may pass
│   └── SpotifyRateLimitError    429: wait `retry_after_s`
└── FeatureSourceError           a source of audio features failed; says nothing about the tracks
"""


class HistoryError(Exception):
    """Base of every error this project raises."""


class SettingsError(HistoryError):
    """A setting, secret or parameter is missing or wrong."""


class MessageError(HistoryError):
    """A queue message does not fit its model."""


class UploadError(HistoryError):
    """An uploaded file cannot be read as listening history at all."""


class DatabaseError(HistoryError):
    """Postgres could not be used."""


class DatabaseAwayError(DatabaseError):
    """Postgres cannot be reached, or cannot serve us now."""


class DatabaseLoginError(DatabaseAwayError):
    """Postgres does not accept our name and password."""


class DatabaseRefusalError(DatabaseError):
    """Postgres refused a statement or its data, or a load would compare too many stored records."""


class QueryError(DatabaseError):
    """A statement cannot be run, or its result is too large."""


class SpotifyError(HistoryError):
    """Spotify did not answer as documented, or not at all."""


class SpotifyAuthError(SpotifyError):
    """Spotify does not allow this app or this account."""


class SpotifyTokenError(SpotifyAuthError):
    """Spotify does not accept the access token; a fresh one may be accepted."""


class SpotifyEndpointError(SpotifyAuthError):
    """Spotify does not allow this app to make this call; other calls may be allowed."""


class SpotifyLoginError(SpotifyAuthError):
    """Spotify says that the listener's grant is dead; an outage of theirs has said so too."""


class SpotifyRequestError(SpotifyError):
    """Spotify refuses one request for what it says; other requests may pass."""


class SpotifyRateLimitError(SpotifyError):
    """Spotify refuses calls until `retry_after_s` seconds have passed, or does not say how long."""

    def __init__(self, retry_after_s: int | None = None) -> None:
        wait = "an unknown time" if retry_after_s is None else f"{retry_after_s} s"
        super().__init__(f"rate limited by Spotify for {wait}")
        self.retry_after_s = retry_after_s


class FeatureSourceError(HistoryError):
    """A source of audio features failed; `retry_after_s` is its own advice, if it gave any."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
