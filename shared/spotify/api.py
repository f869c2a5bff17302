"""Spotify's accounts service and Web API, by requests.

Nothing here sleeps, retries or keeps state: each kind of refusal raises its own error. No error
holds a secret, neither in its text nor in its causes: answers of the token endpoint are never
quoted, and answers of the Web API only without anything that looks like a token.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import requests
from requests import PreparedRequest, Response

from shared.answers import read_body
from shared.errors import (
    SpotifyAuthError,
    SpotifyEndpointError,
    SpotifyError,
    SpotifyLoginError,
    SpotifyRateLimitError,
    SpotifyRequestError,
    SpotifyTokenError,
)
from shared.retry_after import retry_after_s
from shared.spotify.catalogue_wire import Row, read_rows
from shared.spotify.refusals import ApiRefusal, read_api_refusal, read_grant_refusal
from shared.spotify.wire import (
    PAGE_ROWS,
    Grant,
    RecentlyPlayed,
    read_grant,
    read_recently_played,
)

TIMEOUT_S = (3, 10)
"""Longest wait for a connection, and for the next bytes of an answer."""

USER_AGENT = "spotify-listening-history-pipeline"
EXCERPT_CHARACTERS = 200

LONGEST_WAIT_S = 7 * 86_400
"""The longest accepted `Retry-After`. A longer one is taken for a mistake and cut; the longest seen
is 86,400 s."""

QUOTA_WAIT_S = 5 * 3_600
"""The retry delay, in seconds, for a used-up quota if Spotify gives none. The quota's window is a
rolling day, and the delays that Spotify gave to others lasted 13.6 to 24 hours. Each of our calls
may prolong the delay: two calls fall into the shortest, four into the longest. Its end is noticed
at most 5 hours late.

Source:
    https://developer.spotify.com/blog/2026-07-23-web-api-quota-updates
    Waynting/GuessSong, pull requests 27 and 28; Yooooomi/your_spotify, issues 411 and 622;
    spotDL/spotify-downloader, issue 2585
"""

Sign = Callable[[PreparedRequest], PreparedRequest]

_SECRETS = re.compile(r"(?<=bearer )\S+|(?<=basic )\S+|[\w+=-]{32,}", re.IGNORECASE)
"""Matches what may be a token, a code, a verifier or a header with one; no word is that long."""


def open_session() -> requests.Session:
    """Open the HTTP session that `SpotifyAccounts` and `SpotifyApi` share."""
    session = requests.Session()
    # A connection kept from one poll to the next may be dead when the container thaws.
    session.headers.update({"User-Agent": USER_AGENT, "Connection": "close"})
    return session


class SpotifyAccounts:
    """Gets access tokens from Spotify's accounts service, for a listener or for the app."""

    def __init__(self, session: requests.Session, url: str) -> None:
        self._session = session
        self._url = f"{url.rstrip('/')}/api/token"

    def refresh(self, client_id: str, client_secret: str, refresh_token: str) -> Grant:
        """Exchange a refresh token for an access token.

        Args:
            client_id: The client id of the app.
            client_secret: The secret of the app; empty for an app that logs in by PKCE.
            refresh_token: The listener's refresh token.

        Raises:
            SpotifyLoginError: The refresh token is expired or revoked.
            SpotifyAuthError: Spotify does not accept the app itself.
            SpotifyRateLimitError: Too many calls.
            SpotifyError: Anything else, or no answer; the refresh token may still be valid.

        Source:
            https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._grant(client_id, client_secret, form)

    def exchange(
        self, client_id: str, client_secret: str, *, code: str, verifier: str, redirect_uri: str
    ) -> Grant:
        """Exchange the code from the consent page for the listener's first tokens, by PKCE.

        Args:
            client_id: The client id of the app.
            client_secret: The secret of the app; empty for an app that logs in by PKCE alone.
            code: The code from the consent page; valid once, for some minutes.
            verifier: The secret whose SHA-256 was sent to the consent page.
            redirect_uri: The redirect URI that was sent to the consent page.

        Raises:
            SpotifyLoginError: The code was used before, is too old, or is from another consent.
            SpotifyAuthError: Spotify does not accept the app itself, or this redirect URI.
            SpotifyRateLimitError: Too many calls.
            SpotifyError: Anything else, or no answer.

        Source:
            https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        return self._grant(client_id, client_secret, form)

    def client_credentials(self, client_id: str, client_secret: str) -> Grant:
        """Get an access token of the app itself, without access to any listener.

        Args:
            client_id: The client id of the app.
            client_secret: The secret of the app, not empty, because only it proves who calls.

        Raises:
            SpotifyAuthError: Spotify does not accept the app.
            SpotifyRateLimitError: Too many calls.
            SpotifyError: Anything else, or no answer.

        Source:
            https://developer.spotify.com/documentation/web-api/tutorials/client-credentials-flow
        """
        return self._grant(client_id, client_secret, {"grant_type": "client_credentials"})

    def _grant(self, client_id: str, client_secret: str, form: dict[str, str]) -> Grant:
        sign: Sign | tuple[str, str] = (client_id, client_secret)
        if not client_secret:
            form, sign = {**form, "client_id": client_id}, _unsigned
        response = _send(self._session, "POST", self._url, auth=sign, data=form)
        if response.status_code != HTTPStatus.OK:
            raise _grant_refusal(response)
        return read_grant(response.content)


class SpotifyApi:
    """The Web API, called with the access token of a listener or of the app."""

    def __init__(self, session: requests.Session, url: str) -> None:
        """The url may end with the version, `/v1`, or leave it out."""
        self._session = session
        self._url = f"{url.rstrip('/').removesuffix('/v1')}/v1"

    def recently_played(self, access_token: str) -> RecentlyPlayed:
        """Fetch the listener's newest plays, at most 50.

        It sends no cursor: over 48,310 real polls, asking for plays `after` the newest known one
        lost 8 % of all plays, because Spotify lists many of them late.

        Raises:
            SpotifyTokenError: The access token is not, or no longer, accepted.
            SpotifyAuthError: Spotify forbids it: the app's owner has no Premium, the listener is
                not on the app's list, or for another reason.
            SpotifyRateLimitError: Too many calls.
            SpotifyError: Any other refusal, or no answer.

        Source:
            https://developer.spotify.com/documentation/web-api/reference/get-recently-played
            The newest play comes first; the answer does not say how long it was played.
        """
        content = self._get(access_token, "me/player/recently-played", limit=str(PAGE_ROWS))
        return read_recently_played(content)

    def audio_features(self, access_token: str, track_ids: Sequence[str]) -> list[Row]:
        """Fetch the audio features of at most 100 tracks; apps made since November 2024 may not.

        Returns:
            A row for each id, in order; empty if Spotify does not know the track.

        Raises:
            SpotifyEndpointError: The app gets no audio features.
            SpotifyAuthError: Spotify forbids it for another reason, such as an owner without
                Premium. Its subclass SpotifyTokenError: the access token is refused.
            SpotifyRequestError: An id is invalid.
            SpotifyRateLimitError: Too many calls.
            SpotifyError: Any other refusal, or no answer.

        Source:
            https://developer.spotify.com/documentation/web-api/reference/get-several-audio-features
            https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
        """
        content = self._get(access_token, "audio-features", ids=",".join(track_ids))
        return read_rows(content, "audio_features", len(track_ids))

    def tracks(self, access_token: str, track_ids: Sequence[str]) -> list[Row]:
        """Fetch at most 50 tracks; only apps in extended quota mode still may.

        Returns:
            A row for each id, in order; empty if Spotify does not know the track.

        Raises:
            SpotifyError: As `audio_features` does.

        Source:
            https://developer.spotify.com/documentation/web-api/reference/get-several-tracks
            https://developer.spotify.com/documentation/web-api/references/changes/february-2026
        """
        content = self._get(access_token, "tracks", ids=",".join(track_ids))
        return read_rows(content, "tracks", len(track_ids))

    def _get(self, access_token: str, path: str, **params: str) -> bytes:
        url, sign = f"{self._url}/{path}", _bearer(access_token)
        response = _send(self._session, "GET", url, auth=sign, params=params)
        if response.status_code != HTTPStatus.OK:
            raise _api_refusal(response, access_token)
        return response.content


def _send(session: requests.Session, method: str, url: str, **options: Any) -> Response:
    """Call Spotify once. Always pass `auth`: without it requests would read a .netrc file."""
    # Spotify redirects none of these calls, and a token must not follow one elsewhere.
    options |= {"timeout": TIMEOUT_S, "allow_redirects": False, "stream": True}
    try:
        return read_body(session.request(method, url, **options))
    except requests.RequestException as error:
        kind = type(error).__name__
    # Raised outside the `except` block, because an error of requests holds the tokens it sent.
    raise SpotifyError(f"no answer from Spotify: {kind}")


def _bearer(access_token: str) -> Sign:
    def sign(request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {access_token}"
        return request

    return sign


def _unsigned(request: PreparedRequest) -> PreparedRequest:
    return request


def _api_refusal(response: Response, access_token: str) -> SpotifyError:
    refusal, status = read_api_refusal(response.content), response.status_code
    words = _excerpt(response.content.decode("utf-8", "replace"), access_token)
    if status == HTTPStatus.UNAUTHORIZED:
        return SpotifyTokenError(f"Spotify refuses the access token: {words}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _rate_limit(response, refusal)
    if status == HTTPStatus.FORBIDDEN:
        if refusal.is_of_limits:
            return _rate_limit(response, refusal)
        kind = SpotifyEndpointError if refusal.forbids_endpoint else SpotifyAuthError
        return kind(f"Spotify forbids the call: {words}")
    failed = SpotifyRequestError if status == HTTPStatus.BAD_REQUEST else SpotifyError
    return failed(f"Spotify answered with status {status}: {words}")


def _grant_refusal(response: Response) -> SpotifyError:
    code, status = read_grant_refusal(response.content), response.status_code
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return _rate_limit(response, read_api_refusal(response.content))
    if status == HTTPStatus.BAD_REQUEST and code == "invalid_grant":
        return SpotifyLoginError(f"Spotify refuses the grant: {code}")
    if status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED) and code in (
        "invalid_client",
        "unauthorized_client",
    ):
        return SpotifyAuthError(f"Spotify refuses the app: {code}")
    words = f": {code}" if code else ""
    return SpotifyError(f"Spotify's token endpoint answered with status {status}{words}")


def _rate_limit(response: Response, refusal: ApiRefusal) -> SpotifyRateLimitError:
    header = response.headers.get("Retry-After", "")
    wait_s = retry_after_s(header, datetime.now(UTC), LONGEST_WAIT_S)
    if wait_s is None and refusal.is_over_quota:
        wait_s = QUOTA_WAIT_S
    return SpotifyRateLimitError(wait_s)


def _excerpt(text: str, access_token: str) -> str:
    """Quote a refusal in one line; `…` replaces the token that was sent and any text like one."""
    words = " ".join(text.replace(access_token, "…").split())
    return _SECRETS.sub("…", words)[:EXCERPT_CHARACTERS]
