"""Spotify as an app sees it: the accounts service and the web API, on one port."""

from datetime import datetime
from functools import partial

from werkzeug import Request, Response

from infra.local.simulators import api
from infra.local.simulators.account import AccessTokens, Plays
from infra.local.simulators.accounts import Accounts
from infra.local.simulators.listener import Listened, Listener
from infra.local.simulators.scenarios_spotify import SPOTIFY, TOKEN_PATH
from infra.local.simulators.server import CONTROL, Clock, Simulator, json_response
from infra.local.simulators.stage import Stage, StagedAnswer
from infra.local.simulators.wire import PATH


def spotify(clock: Clock, listener: Listener | None = None) -> Simulator:
    """Return the simulator of both services; without a listener, nothing is played."""
    stage = Stage(SPOTIFY, clock)
    tokens = AccessTokens(stage.now)
    stage.on_begin(TOKEN_PATH, tokens.forget)
    accounts = Accounts(tokens)
    plays = Plays(listener, stage.now)
    web_api: dict[str, StagedAnswer] = {
        PATH: partial(api.recently_played, plays),
        "/v1/tracks": api.tracks,
        "/v1/tracks/<track_id>": api.track,
        "/v1/audio-features": api.audio_features,
    }
    return Simulator(
        {
            "GET /authorize": accounts.authorize,
            f"POST {TOKEN_PATH}": stage.guard(accounts.token, is_blocked=False),
            **{
                f"GET {path}": api.with_token(tokens, stage.guard(answer))
                for path, answer in web_api.items()
            },
            f"POST {CONTROL}plays": partial(_add, plays),
            **stage.routes(),
        }
    )


def _add(plays: Plays, request: Request) -> Response:
    """Add the plays that a request lists in JSON, each as `{"track_number", "played_at"}`."""
    plays.added += [
        Listened(play["track_number"], datetime.fromisoformat(play["played_at"]))
        for play in request.get_json()
    ]
    return json_response({})
