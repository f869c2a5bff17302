"""The scenarios of Spotify's web API; where no source is named, see `refusals` and `app_kinds`.

What happens to the window was measured over 48,310 polls of one account, 2022 to 2026.
"""

import math
from datetime import timedelta
from functools import partial

from werkzeug import Request, Response

from infra.local.simulators import windows
from infra.local.simulators.refusals import (
    NO_PREMIUM,
    NOT_REGISTERED,
    TOO_MANY,
    api_error,
    plain_text,
    wait,
)
from infra.local.simulators.scenarios import Scenario, Scene, Table, refuse_by
from infra.local.simulators.wire import PATH


def _rate_limited(scene: Scene, _: Request) -> Response:
    """Refuse for seconds: too many calls within 30 s."""
    refusal = api_error(429, "API rate limit exceeded")
    return wait(refusal, scene.parameters["retry_after_s"])


def _quota_exceeded(scene: Scene, _: Request) -> Response:
    """Refuse for hours: too many calls within a day."""
    refusal = api_error(429, TOO_MANY, "QUOTA_EXCEEDED")
    return wait(refusal, scene.parameters["retry_after_s"])


def _quota(scene: Scene, _: Request) -> Response | None:
    """Count the calls of a rolling window; refuse until its oldest call leaves it."""
    window = timedelta(seconds=scene.parameters["window_s"])
    counted = [at for at in scene.passed if at > scene.now - window]
    if len(counted) < scene.parameters["calls"]:
        return None
    # With a quota of no call at all there is no oldest one.
    oldest = counted[0] if counted else scene.now
    rest_s = math.ceil((oldest + window - scene.now).total_seconds())
    return wait(api_error(429, TOO_MANY, "QUOTA_EXCEEDED"), rest_s)


_APPS: Table = {
    "old-app": Scenario(
        "An app of before 2026: popularity, available_markets, and several tracks at once.",
        parameters={"popularity": 1, "several_tracks": 1},
    ),
    "legacy-app": Scenario(
        "An app of before November 2024 with extended quota: as old-app, and audio features.",
        parameters={"popularity": 1, "several_tracks": 1, "audio_features": 1},
    ),
    "new-app": Scenario(
        "A new app as it was seen: track objects lack external_ids (the ISRC) too.",
        parameters={"external_ids": 0},
    ),
}

_WINDOWS: Table = {
    "empty-window": Scenario(
        "Recently played is empty: no items, next and cursors null.", PATH, show=windows.empty
    ),
    "shrunken-window": Scenario(
        "Recently played shows a few plays only, and all of them again later.",
        PATH,
        show=windows.shrunken,
        parameters={"plays": 2},
    ),
    "late-plays": Scenario(
        "One play in `every` appears `delay_s` late, with a played_at older than known ones.",
        PATH,
        show=windows.late,
        parameters={"every": 4, "delay_s": 600},
    ),
    "doubled-plays": Scenario(
        "One play in `every` is shown twice, `apart_ms` apart.",
        PATH,
        show=windows.doubled,
        parameters={"every": 5, "apart_ms": 29},
    ),
    "moved-plays": Scenario(
        "One play in `every` that is known has its played_at moved by `shift_ms` (11 to 968).",
        PATH,
        show=windows.moved,
        parameters={"every": 1, "shift_ms": 29},
    ),
    "vanished-plays": Scenario(
        "One play in `every` that is known is gone from the window, until the scenario ends.",
        PATH,
        show=windows.vanished,
        parameters={"every": 3},
    ),
    "no-context": Scenario(
        "One play in `every` does not tell what it was played from.",
        PATH,
        show=windows.without_context,
        parameters={"every": 1},
    ),
    "null-track": Scenario(
        "One play in `every` has no track.",
        PATH,
        show=windows.null_track,
        parameters={"every": 5},
    ),
    "null-id": Scenario(
        "One track in `every` has no id; its uri names it.",
        PATH,
        show=windows.null_id,
        parameters={"every": 5},
    ),
    "local-files": Scenario(
        "One play in `every` is of a local file.",
        PATH,
        show=windows.local,
        parameters={"every": 5},
    ),
}

_REFUSALS: Table = {
    "access-token-refused": Scenario(
        "401 for every access token, fresh ones too.",
        refuse=refuse_by(partial(api_error, 401, "The access token expired")),
    ),
    "forbidden": Scenario("403 without a message.", refuse=refuse_by(partial(api_error, 403))),
    "no-premium": Scenario(
        "403 in plain text: the owner of the app has no Premium.",
        refuse=refuse_by(partial(plain_text, 403, NO_PREMIUM)),
    ),
    "not-registered": Scenario(
        "403 in plain text: the listener is not on the app's list.",
        refuse=refuse_by(partial(plain_text, 403, NOT_REGISTERED)),
    ),
    "deleted-tracks": Scenario(
        "404 for each single track.",
        "/v1/tracks/",
        refuse=refuse_by(partial(api_error, 404, "Resource not found")),
    ),
    "rate-limited": Scenario(
        "429 with Retry-After; calls before that begin the block anew.",
        refuse=_rate_limited,
        parameters={"retry_after_s": 5},
    ),
    "rate-limited-without-header": Scenario(
        "429 without Retry-After.", refuse=refuse_by(partial(api_error, 429, TOO_MANY))
    ),
    "rate-limited-in-plain-text": Scenario(
        "429 in plain text, without Retry-After.",
        refuse=refuse_by(partial(plain_text, 429, TOO_MANY)),
    ),
    "quota-exceeded": Scenario(
        "429 QUOTA_EXCEEDED with a Retry-After of hours.",
        refuse=_quota_exceeded,
        parameters={"retry_after_s": 52_531},
    ),
    "quota": Scenario(
        "`calls` in a rolling `window_s`, then 429 QUOTA_EXCEEDED until a call leaves it.",
        refuse=_quota,
        parameters={"calls": 600, "window_s": 86_400},
    ),
    "bad-gateway": Scenario("502.", refuse=refuse_by(partial(plain_text, 502, "Bad Gateway"))),
    "unavailable": Scenario(
        "503.", refuse=refuse_by(partial(api_error, 503, "Service unavailable"))
    ),
    "hangs": Scenario("Every answer takes `hang_s` seconds.", parameters={"hang_s": 20}),
}

API: Table = {**_APPS, **_WINDOWS, **_REFUSALS}
