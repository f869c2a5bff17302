"""The scenarios of ReccoBeats, which does not document the bodies of its errors."""

from collections.abc import Callable
from datetime import datetime

from werkzeug import Response

from infra.local.simulators.refusals import plain_text, wait
from infra.local.simulators.scenarios import Act, Row, Scenario, Table
from infra.local.simulators.server import json_response


def error(status: int, code: int, text: str) -> Response:
    """Refuse as ReccoBeats does, with a code of its own.

    Source:
        https://reccobeats.com/docs names the codes; the keys of the body are a guess.
    """
    return json_response({"code": code, "error": text}, status)


def _with(name: str, value: int | None) -> Callable[[Act, datetime, list[Row]], list[Row]]:
    """Return a function for `Scenario.show` that sets one field in all rows that have it."""
    return lambda _, __, rows: [row | {name: value} if name in row else row for row in rows]


RECCOBEATS: Table = {
    "reccobeats-missing-rows": Scenario(
        "One row in `every` is missing from the answer.",
        show=lambda act, _, rows: [row for row in rows if not act.chooses(row["href"])],
        parameters={"every": 2},
    ),
    "reccobeats-empty": Scenario("No track is known: content is empty.", show=lambda *_: []),
    "reccobeats-no-key": Scenario(
        "Every track has key -1, which means no key.",
        show=_with("key", -1),
    ),
    "reccobeats-popularity-unknown": Scenario(
        "The popularity of every track is null.",
        show=_with("popularity", None),
    ),
    "reccobeats-popularity-zero": Scenario(
        "The popularity of every track is 0.",
        show=_with("popularity", 0),
    ),
    "reccobeats-rate-limited": Scenario(
        "429 with Retry-After; each call during that time restarts it.",
        answer=lambda act, _: wait(error(429, 4291, "too many requests"), act["retry_after_s"]),
        parameters={"retry_after_s": 5},
    ),
    "reccobeats-forbidden": Scenario(
        "403 for every user agent.", answer=lambda *_: plain_text(403, "Forbidden")
    ),
    "reccobeats-error": Scenario(
        "500 for every call.", answer=lambda *_: plain_text(500, "Internal Server Error")
    ),
    "reccobeats-down": Scenario(
        "503: the service is down.", answer=lambda *_: plain_text(503, "no healthy upstream")
    ),
    "reccobeats-hangs": Scenario("Every answer takes `hang_s` seconds.", parameters={"hang_s": 20}),
}
