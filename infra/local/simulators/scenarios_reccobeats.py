"""The scenarios of ReccoBeats. What the bodies of its errors say is not documented."""

from functools import partial
from typing import Any

from werkzeug import Request, Response

from infra.local.simulators.refusals import plain_text, wait
from infra.local.simulators.scenarios import Refuse, Row, Scenario, Scene, Show, Table, refuse_by
from infra.local.simulators.server import json_response


def error(status: int, code: int, text: str) -> Response:
    """Refuse as ReccoBeats does, with a code of its own.

    Source:
        https://reccobeats.com/docs names the codes; the keys of the body are a guess.
    """
    return json_response({"code": code, "error": text}, status)


def _missing(scene: Scene, rows: list[Row]) -> list[Row]:
    """Leave some rows out without a word."""
    return [row for row in rows if not scene.chooses(row["href"])]


def _nothing(_: Scene, __: list[Row]) -> list[Row]:
    """Know none of the tracks."""
    return []


def _with(name: str, value: Any) -> Show:
    """Make the rule that gives one field of every row a value, where rows have it."""
    return lambda _, rows: [{**row, name: value} if name in row else row for row in rows]


def _rate_limited(scene: Scene, _: Request) -> Response:
    """Refuse for seconds."""
    return wait(error(429, 4291, "too many requests"), scene.parameters["retry_after_s"])


def _always(status: int, text: str) -> Refuse:
    return refuse_by(partial(plain_text, status, text))


RECCOBEATS: Table = {
    "reccobeats-missing-rows": Scenario(
        "One row in `every` is missing, without a word.", show=_missing, parameters={"every": 2}
    ),
    "reccobeats-empty": Scenario("No track is known: content is empty.", show=_nothing),
    "reccobeats-no-key": Scenario("Every track has key -1: none.", show=_with("key", -1)),
    "reccobeats-popularity-unknown": Scenario(
        "The popularity of every track is null.", show=_with("popularity", None)
    ),
    "reccobeats-popularity-zero": Scenario(
        "The popularity of every track is 0.", show=_with("popularity", 0)
    ),
    "reccobeats-rate-limited": Scenario(
        "429 with Retry-After; calls before that begin the block anew.",
        refuse=_rate_limited,
        parameters={"retry_after_s": 5},
    ),
    "reccobeats-forbidden": Scenario("403 for every user agent.", refuse=_always(403, "Forbidden")),
    "reccobeats-error": Scenario("500.", refuse=_always(500, "Internal Server Error")),
    "reccobeats-down": Scenario(
        "503: nobody is at home.", refuse=_always(503, "no healthy upstream")
    ),
    "reccobeats-hangs": Scenario("Every answer takes `hang_s` seconds.", parameters={"hang_s": 20}),
}
