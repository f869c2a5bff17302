"""Lambda entry point of the derivation: sets time zones and refreshes the derived tables.

A schedule calls it each hour, because without a poll no load would refresh what an upload or a
failure left. `plays derive` and `plays listener set` call it, too.
"""

import json
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.loader.connection import WarmConnection
from services.loader.refresh import refresh
from services.loader.settings import DeriveSettings
from services.loader.statements import run
from shared.errors import MessageError
from shared.postgres import ANSWER_TIMEOUT_S, Database
from shared.telemetry import logger

RESERVED = 0.4
"""Share of an invocation's time in which no transaction begins: 6 of 15 minutes."""
LIMIT_S = 240
"""When Postgres ends a transaction, seconds: less than ANSWER_TIMEOUT_S, after which its silence
means a dead connection."""


class Derivation(BaseModel):
    """What to derive. Without any field it refreshes the marked months.

    `seconds` is how long to refresh; None: nearly all of the function's time. `default_time_zone`
    is for the listeners that have no zone yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rebuild: bool = False
    time_zones: dict[str, str] = {}
    default_time_zone: str | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    @property
    def zones(self) -> set[str]:
        """Every zone that it names."""
        return {*self.time_zones.values(), *filter(None, [self.default_time_zone])}


class Derived(BaseModel):
    """The answer: how many months still wait, or why nothing was done."""

    model_config = ConfigDict(frozen=True)

    months_left: int | None = None
    error: str | None = None


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what the event, a Derivation, asks; return a Derived.

    A wrong listener or time zone is an answer and no failure, because a retry would not help.

    Raises:
        MessageError: The event is no Derivation.
        DatabaseAwayError: Postgres cannot serve now; the marks stay.
    """
    try:
        asked = Derivation.model_validate(event)
    except ValidationError as error:
        fields = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        wrong = ", ".join(fields) or "it is no object"
        raise MessageError(f"the event is no derivation: {wrong}") from None
    listeners = DeriveSettings.from_environment().listeners
    derived = wire().run(lambda database: derive(database, asked, listeners, _time_left_s(context)))
    logger.info("derived", extra=derived.model_dump())
    return derived.model_dump()


@cache
def wire() -> WarmConnection[Database]:
    """Build the connection from the settings, once per container."""
    return WarmConnection(DeriveSettings.from_environment(), lambda it: it, ANSWER_TIMEOUT_S)


def _time_left_s(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1_000 * (1 - RESERVED)


def derive(
    database: Database, asked: Derivation, listeners: tuple[str, ...], most_s: float
) -> Derived:
    """Set time zones, mark all months for a rebuild, then refresh.

    Args:
        database: A connection of role loader.
        asked: What to do.
        listeners: The deployed ones.
        most_s: How long the refresh may take, seconds.

    Raises:
        DatabaseError: Postgres cannot do it now.
    """
    if error := _unknown_listener(asked, listeners) or _unknown_zone(database, asked):
        return Derived(error=error)
    with database.transaction():
        if asked.rebuild:
            run(database, "rebuild")
        if asked.time_zones:
            run(database, "set_time_zones", time_zones=json.dumps(asked.time_zones))
        if asked.default_time_zone:
            zone = asked.default_time_zone
            run(database, "set_default_time_zone", time_zone=zone, listeners=[*listeners])
    return Derived(months_left=refresh(database, min(asked.seconds or most_s, most_s), LIMIT_S))


def _unknown_listener(asked: Derivation, listeners: tuple[str, ...]) -> str | None:
    for name in asked.time_zones:
        if name not in listeners:
            return f"{name!r} is no listener here: known are {', '.join(listeners)}"
    return None


def _unknown_zone(database: Database, asked: Derivation) -> str | None:
    if not asked.zones:
        return None
    known = {name for (name,) in run(database, "time_zone_names")}
    for zone in sorted(asked.zones - known):
        close = get_close_matches(zone, sorted(known), cutoff=0.5)
        instead = f"did you mean {' or '.join(close)}?" if close else "give one like Europe/Berlin"
        return f"Postgres knows no time zone {zone!r}: {instead}"
    return None
