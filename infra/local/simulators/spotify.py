"""Spotify as an app sees it: the accounts service and the web API, on one port."""

from collections.abc import Callable
from functools import partial
from typing import Any

from werkzeug import Request, Response

from infra.local import catalogue
from infra.local.simulators import account, accounts, api, wire
from infra.local.simulators.authorization import Authorization
from infra.local.simulators.listener import Listener
from infra.local.simulators.refusals import api_error
from infra.local.simulators.scenarios_spotify import SPOTIFY, TOKEN_PATH
from infra.local.simulators.server import CONTROL, Answer, Clock, Simulator, json_response
from infra.local.simulators.stage import Stage, StagedAnswer


def spotify(listener: Listener, clock: Clock, *, frozen: bool = False) -> Simulator:
    """Build the simulator of both services; if `frozen`, its listener plays nothing."""
    stage = Stage(SPOTIFY, clock)
    tokens, grants = account.AccessTokens(stage.clock), account.Grants(stage.clock)
    stage.on_begin(TOKEN_PATH, tokens.forget)
    plays = account.Plays(listener, stage.clock, frozen=frozen)
    authorization = Authorization(stage.clock, tokens, grants)
    grant_types: dict[str, accounts.GrantType] = {
        "refresh_token": partial(accounts.refresh, tokens, grants),
        "authorization_code": authorization.trade,
        "client_credentials": partial(accounts.client_credentials, tokens),
    }
    routes: dict[str, Answer] = {
        "GET /authorize": authorization.authorize,
        f"POST {TOKEN_PATH}": stage.guard(partial(accounts.token, grant_types), is_blocked=False),
        **_api(stage, tokens, plays),
        f"POST {CONTROL}plays": partial(_add, plays),
        f"POST {CONTROL}freeze": partial(_done, plays.freeze),
        f"POST {CONTROL}resume": partial(_done, plays.resume),
        f"POST {CONTROL}grant": partial(accounts.set_grant, grants),
        **stage.routes(),
    }
    return Simulator(routes, stage.clock)


def _api(stage: Stage, tokens: account.AccessTokens, plays: account.Plays) -> dict[str, Answer]:
    """Return the routes of the web API; only the first requires a listener's token."""
    recently_played = stage.guard(partial(api.recently_played, plays))
    catalogue_answers: dict[str, StagedAnswer] = {
        "/v1/tracks": api.tracks,
        "/v1/tracks/<track_id>": api.track,
        "/v1/audio-features": api.features_of_several,
        "/v1/audio-features/<track_id>": api.features_of_one,
    }
    return {
        f"GET {wire.PATH}": api.with_token(tokens, recently_played, of_listener=True),
        **{
            f"GET {path}": api.with_token(tokens, stage.guard(answer))
            for path, answer in catalogue_answers.items()
        },
    }


def _add(plays: account.Plays, request: Request) -> Response:
    """Add the plays of a JSON list: `{"track_number", "played_at"}`, or whole wire plays."""
    try:
        added = [_pushed(play) for play in request.get_json()]
    except (KeyError, TypeError, ValueError) as error:
        return api_error(400, f"bad play: {error!r}")
    plays.add(added)
    return json_response({})


def _done(order: Callable[[], None], request: Request) -> Response:
    """Run a command that a test has sent."""
    order()
    return json_response({})


def _pushed(play: dict[str, Any]) -> wire.Wire:
    """Parse a play that a test added; one with a `track` is in wire format and kept unchanged.

    Raises:
        KeyError, TypeError, ValueError: It lacks a track, or an instant with a time zone.
    """
    if "track" in play:
        wire.unix_ms(play)
        return play
    track = catalogue.track(play["track_number"])
    return wire.play_history(track, wire.instant(play["played_at"]))
