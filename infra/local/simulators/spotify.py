"""Spotify's accounts service and web API, as an app in development mode meets them.

Sources of the shapes: https://developer.spotify.com/documentation/web-api, its change logs of
2026, and the answers that open projects recorded.
"""

import hmac
from collections.abc import Callable
from functools import partial
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.simulators import account, wire
from infra.local.simulators.authorization import (
    Authorization,
    RefusedTradeError,
    is_refresh_token,
)
from infra.local.simulators.listener import Listener
from infra.local.simulators.server import CONTROL, Answer, Clock, Simulator, json_response

_LIMIT = 20


def spotify(listener: Listener, clock: Clock, *, frozen: bool = False) -> Simulator:
    """Build the simulator of both services; a frozen one plays nothing by itself."""
    tokens = account.AccessTokens(clock)
    consents = Authorization(clock)
    plays = account.Plays(listener, clock, frozen=frozen)
    api: dict[str, Answer] = {
        wire.PATH: partial(_recently_played, plays),
        "/v1/tracks": _removed,
        "/v1/tracks/<track_id>": _track,
        "/v1/audio-features": _audio_features,
        "/v1/audio-features/<track_id>": _audio_features,
    }
    routes: dict[str, Answer] = {
        "GET /authorize": consents.authorize,
        "POST /api/token": partial(_token, tokens, consents),
        **{f"GET {path}": _with_token(tokens, answer) for path, answer in api.items()},
        f"POST {CONTROL}plays": partial(_add, plays),
        f"POST {CONTROL}freeze": partial(_done, plays.freeze),
        f"POST {CONTROL}resume": partial(_done, plays.resume),
    }
    return Simulator(routes, clock)


def _token(tokens: account.AccessTokens, consents: Authorization, request: Request) -> Response:
    """Exchange a code or a refresh token for an access token; a refresh token stays the same."""
    if not _known_client(request):
        return _oauth_error("invalid_client", "Invalid client")
    answer: dict[str, Any] = {}
    if request.form.get("grant_type") == "authorization_code":
        try:
            answer = {"refresh_token": consents.trade(request.form)}
        except RefusedTradeError as refusal:
            return _oauth_error(*refusal.args)
    elif request.form.get("grant_type") != "refresh_token":
        return _oauth_error("unsupported_grant_type", "grant_type must be refresh_token")
    elif not _refresh_token(request.form.get("refresh_token", "")):
        return _oauth_error("invalid_grant", "Invalid refresh token")
    return json_response(
        {
            "access_token": tokens.issue(),
            "token_type": "Bearer",
            "expires_in": account.ACCESS_TOKEN_S,
            "scope": "user-read-recently-played",
            **answer,
        }
    )


def _refresh_token(given: str) -> bool:
    """Tell whether a refresh token is the simulator's own, or was given for a consent."""
    return _same(given, account.REFRESH_TOKEN) or is_refresh_token(given)


def _recently_played(plays: account.Plays, request: Request) -> Response:
    """Show one page of the newest plays."""
    try:
        limit, after, before = (_whole(request, name) for name in ("limit", "after", "before"))
    except ValueError as error:
        return _api_error(400, f"Invalid {error}")
    limit = _LIMIT if limit is None else limit
    if not 1 <= limit <= account.PLAYS_SHOWN:
        return _api_error(400, "Invalid limit")
    if after is not None and before is not None:
        return _api_error(400, "Only one of before and after can be specified")
    newest = plays.newest()
    return json_response(
        wire.page(newest, limit=limit, after=after, before=before, url=request.base_url)
    )


def _track(request: Request, track_id: str) -> Response:
    """Show one track."""
    found = catalogue.find_track(track_id)
    return json_response(wire.track_object(found)) if found else _api_error(404, "Not found.")


def _removed(request: Request) -> Response:
    """Refuse what development mode lost in 2026."""
    return _api_error(403, "Forbidden")


def _audio_features(request: Request, track_id: str = "") -> Response:
    """Refuse, as for every app since November 2024: without a message."""
    return json_response({"error": {"status": 403}}, 403)


def _add(plays: account.Plays, request: Request) -> Response:
    """Show the plays of a JSON list: `{"track_number", "played_at"}`, or whole wire plays."""
    try:
        added = [_pushed(play) for play in request.get_json()]
    except (KeyError, TypeError, ValueError) as error:
        return _api_error(400, f"bad play: {error!r}")
    plays.add(added)
    return json_response({})


def _done(order: Callable[[], None], request: Request) -> Response:
    """Carry out an order of a test."""
    order()
    return json_response({})


def _pushed(play: dict[str, Any]) -> wire.Wire:
    """Read a play that a test pushed; one with a track is in wire format and taken as it is.

    Raises:
        KeyError, TypeError, ValueError: It lacks a track, or an instant with its time zone.
    """
    if "track" in play:
        wire.unix_ms(play)
        return play
    track = catalogue.track(play["track_number"])
    return wire.play_history(track, wire.instant(play["played_at"]))


def _with_token(tokens: account.AccessTokens, answer: Answer) -> Answer:
    """Answer those only who bring a good access token."""

    def checked(request: Request, **parts: str) -> Response:
        given = request.authorization
        bearer = given.token if given is not None and given.type == "bearer" else None
        complaint = tokens.complaint(bearer)
        return _api_error(401, complaint) if complaint else answer(request, **parts)

    return checked


def _known_client(request: Request) -> bool:
    """Tell whether the app names itself rightly: by Basic with a secret, or by its id (PKCE)."""
    given = request.authorization
    if given is None:
        return _same(request.form.get("client_id"), account.CLIENT_ID)
    return _same(given.username, account.CLIENT_ID) and _same(given.password, account.CLIENT_SECRET)


def _same(given: str | None, expected: str) -> bool:
    """Compare a credential."""
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def _whole(request: Request, name: str) -> int | None:
    """Read a whole number from the query; None if it is not there.

    Raises:
        ValueError: It is no whole number; its text is the parameter's name.
    """
    text = request.args.get(name)
    if text is not None and not (text.isascii() and text.isdigit()):
        raise ValueError(name)
    return None if text is None else int(text)


def _api_error(status: int, message: str) -> Response:
    """Refuse as the web API does."""
    return json_response({"error": {"status": status, "message": message}}, status)


def _oauth_error(error: str, description: str) -> Response:
    """Refuse as the accounts service does: a flat body, and 400 for all of it."""
    return json_response({"error": error, "error_description": description}, 400)
