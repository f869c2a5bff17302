"""Every error this project raises.

HistoryError
├── SettingsError                a variable or secret is missing or wrong: fix the deployment
├── MessageError                 a queue message or an event does not fit its model
├── UploadError                  an uploaded file cannot be read as listening history at all
├── DatabaseError                Postgres failed; see __cause__
│   ├── DatabaseAwayError        it cannot be reached or used now: retry later
│   │   └── DatabaseLoginError   it refuses the login: read the login again
│   ├── DatabaseRefusalError     it refuses the data, or too much of it: do not retry
│   └── QueryError               a person's query failed; the message says why
├── SpotifyError                 Spotify gave no valid answer: retry later
│   ├── SpotifyAuthError         the app or the account is forbidden: a person must act
│   │   ├── SpotifyTokenError    401: the access token is refused: get a new one
│   │   ├── SpotifyEndpointError 403: the app may not make this call; others may work
│   │   └── SpotifyLoginError    the refresh token is refused: log in again
│   ├── SpotifyRequestError      400: the request is refused; others may pass
│   └── SpotifyRateLimitError    429: wait `retry_after_s`
└── FeatureSourceError           a source of audio features failed; the tracks may be fine
"""


class HistoryError(Exception):
    """Base of every error this project raises."""


class SettingsError(HistoryError):
    """A setting, secret or parameter is missing or wrong."""


class MessageError(HistoryError):
    """A queue message, or the event of a function, does not fit its model."""


class UploadError(HistoryError):
    """An uploaded file cannot be read as listening history at all."""


class DatabaseError(HistoryError):
    """Postgres failed."""


class DatabaseAwayError(DatabaseError):
    """Postgres cannot be reached, or cannot be used now."""


class DatabaseLoginError(DatabaseAwayError):
    """Postgres refuses the username or the password."""


class DatabaseRefusalError(DatabaseError):
    """Postgres refuses the data, or a load would compare too many stored records."""


class QueryError(DatabaseError):
    """A person's query failed, or its result is too large."""


class SpotifyError(HistoryError):
    """Spotify gave no valid answer."""


class SpotifyAuthError(SpotifyError):
    """Spotify forbids the app or the account."""


class SpotifyTokenError(SpotifyAuthError):
    """Spotify refuses the access token; it may accept a new one."""


class SpotifyEndpointError(SpotifyAuthError):
    """Spotify forbids this call to the app; other calls may be allowed."""


class SpotifyLoginError(SpotifyAuthError):
    """Spotify refuses the refresh token; during an outage it has refused valid ones too."""


class SpotifyRequestError(SpotifyError):
    """Spotify refuses the content of one request; other requests may pass."""


class SpotifyRateLimitError(SpotifyError):
    """Spotify takes no calls for `retry_after_s` seconds; None if Spotify names no time."""

    def __init__(self, retry_after_s: int | None = None) -> None:
        wait = "an unknown time" if retry_after_s is None else f"{retry_after_s} s"
        super().__init__(f"rate limited by Spotify for {wait}")
        self.retry_after_s = retry_after_s


class FeatureSourceError(HistoryError):
    """A source of audio features failed; `retry_after_s` is the wait it asked for, if any."""

    def __init__(self, message: str, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
