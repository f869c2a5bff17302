"""Lambda entry point of the queries: runs one statement as role reader and returns its rows.

Anyone with the right to invoke it can read a Postgres that accepts no connection from outside.
A wrong statement is returned as an error, not raised, because a retry or an alarm would not help.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from services.loader.connection import WarmConnection
from services.loader.settings import DatabaseSettings
from shared.errors import MessageError, QueryError
from shared.postgres import Database
from shared.queries import Answer, Query
from shared.telemetry import logger

ANSWER_TIMEOUT_S = 30
"""Seconds: longer than a query may run, so that silence means a dead connection, and less than
half of the function's time, so that a second connection can replace it."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Run the statement of the event, `{"sql": …, "parameters": {name: value}}`; return an Answer.

    Raises:
        MessageError: The event is not a query.
        DatabaseAwayError: Postgres is not available.
    """
    try:
        query = Query.model_validate(event)
    except ValidationError:
        # Without the cause, which quotes the event: a statement must not reach the log.
        raise MessageError('the event is not a query: send {"sql": …, "parameters": {…}}') from None
    answer = _answer(query)
    logger.info("answered", extra={"rows": len(answer.rows), "refused": answer.error is not None})
    return answer.model_dump()


@cache
def wire() -> WarmConnection[Database]:
    """Create the connection from the settings, once per container."""
    return WarmConnection(DatabaseSettings.from_environment(), lambda it: it, ANSWER_TIMEOUT_S)


def _answer(query: Query) -> Answer:
    try:
        result = wire().run(lambda database: database.read(query))
    except QueryError as error:
        return Answer(error=str(error))
    return Answer(columns=result.columns, rows=result.rows)
