"""The scenarios of Spotify: its accounts service and its web API.

The oddities of recently-played responses were measured in 48,310 polls of one account, from 2022 to
2026.
For the sources of other scenarios, see `refusals` and `api`.

Clients keep an access token for up to an hour. So when a scenario of the accounts service begins,
all access tokens are invalidated.
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from werkzeug import Response

from infra.local.simulators.refusals import (
    NO_PREMIUM,
    NOT_REGISTERED,
    TOO_MANY,
    api_error,
    oauth_error,
    plain_text,
    wait,
)
from infra.local.simulators.scenarios import Act, Row, Scenario, Table
from infra.local.simulators.wire import PATH, written

TOKEN_PATH = "/api/token"  # noqa: S105 - a path


def _quota(act: Act, now: datetime) -> Response | None:
    """Refuse a call with 429 if the last `window_s` seconds already had `calls` calls.

    `Retry-After` is the time until the oldest of these is no longer counted.
    """
    window = timedelta(seconds=act["window_s"])
    counted = [at for at in act.passed if at > now - window]
    if len(counted) < act["calls"]:
        return None
    # With a quota of 0 there is no oldest call.
    oldest = counted[0] if counted else now
    rest_s = math.ceil((oldest + window - now).total_seconds())
    return wait(api_error(429, TOO_MANY, "QUOTA_EXCEEDED"), rest_s)


def _each(
    change: Callable[[Act, Row], list[Row]], *, known: bool = False
) -> Callable[[Act, datetime, list[Row]], list[Row]]:
    """Return a function for `Scenario.show` that replaces one play in `every`.

    Args:
        change: Returns the plays shown in place of a play.
        known: Change only plays that ended before the scenario began.
    """

    def show(act: Act, _: datetime, rows: list[Row]) -> list[Row]:
        shown: list[Row] = []
        for row in rows:
            is_changed = act.chooses(row["played_at"])
            if known and datetime.fromisoformat(row["played_at"]) > act.began_at:
                is_changed = False
            shown += change(act, row) if is_changed else [row]
        return shown

    return show


def _late(act: Act, now: datetime, rows: list[Row]) -> list[Row]:
    """Hide some plays until `delay_s` after their end, while later plays are already shown."""
    shown_since = now - timedelta(seconds=act["delay_s"])
    return [
        row
        for row in rows
        if not act.chooses(row["played_at"])
        or datetime.fromisoformat(row["played_at"]) <= shown_since
    ]


def _moved(row: Row, shift_ms: int) -> Row:
    moved = datetime.fromisoformat(row["played_at"]) + timedelta(milliseconds=shift_ms)
    return {**row, "played_at": written(moved)}


def _with_track(row: Row, **fields: Any) -> Row:
    return {**row, "track": row["track"] and {**row["track"], **fields}}


def _local(row: Row) -> Row:
    """Turn a play into one of a local file, whose Spotify ids and links are null or empty."""
    name = (row["track"] or {}).get("name", "")
    nameless: Row = {"external_urls": {}, "href": None, "id": None, "uri": None}
    return _with_track(
        row,
        **nameless | {"uri": f"spotify:local:::{name.replace(' ', '+')}:180"},
        album={"artists": [], "images": [], "name": "", "type": "album", **nameless},
        artists=[{"name": "", "type": "artist", **nameless}],
        external_ids={},
        is_local=True,
    )


ACCOUNTS: Table = {
    "rotated-refresh-token": Scenario(
        "Each refresh returns a new refresh token and revokes the old one, as until mid-2026.",
        TOKEN_PATH,
        parameters={"rotates": 1},
    ),
    "short-lived-token": Scenario(
        "Access tokens expire soon; the web API answers 401 from then on.",
        TOKEN_PATH,
        parameters={"expires_in_s": 60},
    ),
    "refresh-token-revoked": Scenario(
        "The listener revoked the app's access: 400 invalid_grant. An outage looks the same.",
        TOKEN_PATH,
        lambda *_: oauth_error("invalid_grant", "Refresh token revoked"),
    ),
    "refresh-token-expired": Scenario(
        "The login is older than six months: 400 invalid_grant.",
        TOKEN_PATH,
        lambda *_: oauth_error("invalid_grant", "Refresh token expired"),
    ),
    "invalid-client": Scenario(
        "The app's id or secret is not accepted: 400 invalid_client.",
        TOKEN_PATH,
        lambda *_: oauth_error("invalid_client", "Invalid client"),
    ),
    "accounts-down": Scenario(
        "The accounts service answers 503, which says nothing about the refresh token.",
        TOKEN_PATH,
        lambda *_: plain_text(503, "upstream connect error"),
    ),
}

_APPS: Table = {
    "old-app": Scenario(
        "An app made before 2026: popularity, available_markets, and several tracks at once.",
        parameters={"popularity": 1, "several_tracks": 1},
    ),
    "legacy-app": Scenario(
        "An app made before November 2024 with extended quota: as old-app, and audio features.",
        parameters={"popularity": 1, "several_tracks": 1, "audio_features": 1},
    ),
    "new-app": Scenario(
        "A new app as users saw it: track objects also lack external_ids (the ISRC).",
        parameters={"external_ids": 0},
    ),
}

_WINDOWS: Table = {
    "empty-window": Scenario(
        "Recently played is empty: no items, next and cursors null.", PATH, show=lambda *_: []
    ),
    "shrunken-window": Scenario(
        "Recently played shows only `plays` plays until the scenario ends.",
        PATH,
        show=lambda act, _, rows: rows[: act["plays"]],
        parameters={"plays": 2},
    ),
    "late-plays": Scenario(
        "One play in `every` appears `delay_s` late, with a played_at older than known ones.",
        PATH,
        show=_late,
        parameters={"every": 4, "delay_s": 600},
    ),
    "doubled-plays": Scenario(
        "One play in `every` is shown twice, `apart_ms` apart.",
        PATH,
        show=_each(lambda act, row: [row, _moved(row, act["apart_ms"])]),
        parameters={"every": 5, "apart_ms": 29},
    ),
    "moved-plays": Scenario(
        "One in `every` plays from before the scenario has a played_at `shift_ms` later.",
        PATH,
        show=_each(lambda act, row: [_moved(row, act["shift_ms"])], known=True),
        parameters={"every": 1, "shift_ms": 29},
    ),
    "vanished-plays": Scenario(
        "One in `every` plays from before the scenario is missing until it ends.",
        PATH,
        show=_each(lambda *_: [], known=True),
        parameters={"every": 3},
    ),
    "no-context": Scenario(
        "One play in `every` has no context.",
        PATH,
        show=_each(lambda _, row: [{**row, "context": None}]),
        parameters={"every": 1},
    ),
    "null-track": Scenario(
        "One play in `every` has no track.",
        PATH,
        show=_each(lambda _, row: [{**row, "track": None}]),
        parameters={"every": 5},
    ),
    "null-id": Scenario(
        "One track in `every` has no id; its uri names it.",
        PATH,
        show=_each(lambda _, row: [_with_track(row, id=None)]),
        parameters={"every": 5},
    ),
    "local-files": Scenario(
        "One play in `every` is of a local file.",
        PATH,
        show=_each(lambda _, row: [_local(row)]),
        parameters={"every": 5},
    ),
}

_REFUSALS: Table = {
    "access-token-refused": Scenario(
        "401 for every access token, fresh ones too.",
        answer=lambda *_: api_error(401, "The access token expired"),
    ),
    "forbidden": Scenario("403 without a message.", answer=lambda *_: api_error(403)),
    "no-premium": Scenario(
        "403 in plain text: the owner of the app has no Premium.",
        answer=lambda *_: plain_text(403, NO_PREMIUM),
    ),
    "not-registered": Scenario(
        "403 in plain text: the listener is not on the app's list.",
        answer=lambda *_: plain_text(403, NOT_REGISTERED),
    ),
    "deleted-tracks": Scenario(
        "404 for every request for a single track.",
        "/v1/tracks/",
        lambda *_: api_error(404, "Resource not found"),
    ),
    "rate-limited": Scenario(
        "429 with Retry-After; each call during that time restarts it.",
        answer=lambda act, _: wait(api_error(429, "API rate limit exceeded"), act["retry_after_s"]),
        parameters={"retry_after_s": 5},
    ),
    "rate-limited-without-header": Scenario(
        "429 without Retry-After.", answer=lambda *_: api_error(429, TOO_MANY)
    ),
    "rate-limited-in-plain-text": Scenario(
        "429 in plain text, without Retry-After.", answer=lambda *_: plain_text(429, TOO_MANY)
    ),
    "quota-exceeded": Scenario(
        "429 QUOTA_EXCEEDED with a Retry-After of hours.",
        answer=lambda act, _: wait(
            api_error(429, TOO_MANY, "QUOTA_EXCEEDED"), act["retry_after_s"]
        ),
        parameters={"retry_after_s": 52_531},
    ),
    "quota": Scenario(
        "At most `calls` in any `window_s` seconds; further calls get 429 QUOTA_EXCEEDED.",
        answer=_quota,
        parameters={"calls": 600, "window_s": 86_400},
    ),
    "bad-gateway": Scenario(
        "502 for every call.", answer=lambda *_: plain_text(502, "Bad Gateway")
    ),
    "unavailable": Scenario(
        "503 for every call.", answer=lambda *_: api_error(503, "Service unavailable")
    ),
    "hangs": Scenario("Every answer takes `hang_s` seconds.", parameters={"hang_s": 20}),
}

SPOTIFY: Table = {**ACCOUNTS, **_APPS, **_WINDOWS, **_REFUSALS}
