"""Lambda entry point that refreshes the derived tables.

It first applies the changes that a person asks for: time zones, deletions, and the removal of
listeners. A schedule invokes it every hour, because a load refreshes only a few months and a failed
refresh leaves its months stale. `plays derive`, `plays delete` and `plays listener` invoke it too.
"""

import json
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.loader.connection import WarmConnection
from services.loader.deletions import delete, undo
from services.loader.refresh import refresh
from services.loader.settings import DeriveSettings
from services.loader.statements import run
from shared.deletions import Deletion, Undo
from shared.errors import MessageError
from shared.postgres import ANSWER_TIMEOUT_S, Database
from shared.telemetry import logger

RESERVED = 0.4
"""Share of an invocation's time, at its end, in which no transaction starts: 6 of 15 minutes."""
LIMIT_S = 240
"""Statement timeout, seconds: less than ANSWER_TIMEOUT_S, so that Postgres cancels the statement
before the connection counts as dead."""


class Derivation(BaseModel):
    """The event of the function: what to change, and how long to refresh the derived tables.

    An empty event changes nothing and refreshes the months that are marked as stale.

    `seconds` limits the refresh; None means most of the function's time. `default_time_zone` is
    set for listeners that have no time zone yet. `remove` is a listener that is no longer deployed:
    all rows about them are deleted. `delete` keeps plays out from now on; `undo` brings them back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rebuild: bool = False
    time_zones: dict[str, str] = {}
    default_time_zone: str | None = None
    remove: str | None = None
    delete: Deletion | None = None
    undo: Undo | None = None
    seconds: Annotated[float, Field(gt=0)] | None = None

    @property
    def zones(self) -> set[str]:
        """All time zones that the event names."""
        return {*self.time_zones.values(), *filter(None, [self.default_time_zone])}


class Derived(BaseModel):
    """The result of a derivation: the number of months still stale, or an error.

    `moved` is the number of plays that a deletion moved out of listening_history, or that an undo
    moved back. `error` says why nothing was changed; `months_left` is then None.
    """

    model_config = ConfigDict(frozen=True)

    months_left: int | None = None
    moved: int = 0
    error: str | None = None


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Apply the changes in the event, refresh the derived tables, and return a `Derived` as a dict.

    An unknown listener or time zone is returned as an error, not raised, because a retry would
    not help.

    Raises:
        MessageError: The event is not a Derivation.
        DatabaseAwayError: Postgres is not available; stale months stay marked.
    """
    try:
        derivation = Derivation.model_validate(event)
    except ValidationError as error:
        fields = sorted({str(fault["loc"][0]) for fault in error.errors() if fault["loc"]})
        wrong = f"correct its fields: {', '.join(fields)}" if fields else "send a JSON object"
        raise MessageError(f"the event is not a valid Derivation; {wrong}") from None
    listeners = DeriveSettings.from_environment().listeners
    derived = wire().run(
        lambda database: derive(database, derivation, listeners, _time_left_s(context))
    )
    logger.info("derived", extra=derived.model_dump())
    return derived.model_dump()


@cache
def wire() -> WarmConnection[Database]:
    """Create the connection from the settings, once per container."""
    return WarmConnection(DeriveSettings.from_environment(), lambda it: it, ANSWER_TIMEOUT_S)


def _time_left_s(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1_000 * (1 - RESERVED)


def derive(
    database: Database, derivation: Derivation, listeners: tuple[str, ...], most_s: float
) -> Derived:
    """Remove a listener, delete plays, set time zones, mark all months for a rebuild; then refresh.

    Only what `derivation` asks for is changed. An unknown listener or time zone changes nothing and
    is returned in `Derived.error`.

    Args:
        database: A connection as role loader.
        derivation: The event of the function.
        listeners: The deployed listeners.
        most_s: The most time that the refresh may take, seconds.

    Raises:
        DatabaseError: Postgres is not available, or refuses a statement.
    """
    if error := _unknown_listener(derivation, listeners) or _unknown_zone(database, derivation):
        return Derived(error=error)
    with database.transaction():
        if derivation.remove is not None:
            remove(database, derivation.remove)
        moved = _move_plays(database, derivation)
        if derivation.rebuild:
            run(database, "rebuild")
        if derivation.time_zones:
            run(database, "set_time_zones", time_zones=json.dumps(derivation.time_zones))
        if derivation.default_time_zone:
            zone = derivation.default_time_zone
            run(database, "set_default_time_zone", time_zone=zone, listeners=[*listeners])
    seconds = min(derivation.seconds or most_s, most_s)
    return Derived(months_left=refresh(database, seconds, LIMIT_S), moved=moved)


def _move_plays(database: Database, derivation: Derivation) -> int:
    """Make a deletion, or undo one, in the caller's transaction; return how many plays moved."""
    fact = derivation.delete or derivation.undo
    if fact is None:
        return 0
    run(database, "limit_statement", most_ms=str(LIMIT_S * 1_000))
    run(database, "lock_listener", listener=fact.listener)
    run(database, "lock_writing")
    return delete(database, fact) if isinstance(fact, Deletion) else undo(database, fact)


def remove(database: Database, listener: str) -> None:
    """Delete all rows about a listener, in the caller's transaction; features of tracks stay."""
    run(database, "limit_statement", most_ms=str(LIMIT_S * 1_000))
    run(database, "lock_listener", listener=listener)
    run(database, "remove_listener", listener=listener)


def _unknown_listener(derivation: Derivation, listeners: tuple[str, ...]) -> str | None:
    for name in derivation.time_zones:
        if name not in listeners:
            return f"unknown listener {name!r}; known listeners: {', '.join(listeners)}"
    if derivation.remove in listeners:
        # A poll or an upload would bring plays back.
        return f"{derivation.remove} is still a listener of this deployment"
    return None


def _unknown_zone(database: Database, derivation: Derivation) -> str | None:
    if not derivation.zones:
        return None
    known = {name for (name,) in run(database, "time_zone_names")}
    for zone in sorted(derivation.zones - known):
        close = get_close_matches(zone, sorted(known), cutoff=0.5)
        instead = f"did you mean {' or '.join(close)}?" if close else "give one like Europe/Berlin"
        return f"Postgres knows no time zone {zone!r}: {instead}"
    return None
