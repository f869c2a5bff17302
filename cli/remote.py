"""Postgres on AWS, read by the function `queries`: nothing needs to reach the database itself."""

import json
from typing import Any

from botocore.exceptions import ClientError

from shared.errors import DatabaseAwayError, DatabaseError, QueryError
from shared.queries import Answer, Query, Result
from shared.query_texts import decode, encode

ASLEEP = ("ResourceNotReadyException", "ResourceConflictException")
"""Lambda takes a function's network interfaces away after weeks without a call."""
AWAY = ("DatabaseAwayError", "DatabaseLoginError")
"""What the function itself says of Postgres; its words need no addition."""
KILLED = ("Runtime.ExitError", "Runtime.OutOfMemory")
"""How Lambda names the end of a function whose memory is full: one value can fill it."""


class QueriesFunction:
    """Reads Postgres as a connection of role reader does.

    Args:
        functions: boto3's client of Lambda.
        name: The function's name.
    """

    def __init__(self, functions: Any, name: str) -> None:
        self._functions = functions
        self._name = name

    def run(self, statement: str, **parameters: Any) -> list[Any]:
        """Run one statement with bound parameters (`:name`); return its rows as lists.

        Raises:
            QueryError: The statement cannot be run, or exceeds a limit.
            DatabaseAwayError: Postgres, or the function, cannot serve now.
            DatabaseError: We may not invoke the function.
        """
        return decode(self.read(Query(sql=statement, parameters=encode(parameters))))

    def read(self, query: Query) -> Result:
        """Run one statement; return its rows as texts. Raises as `run` does."""
        answer = Answer.model_validate_json(self._invoke(query))
        if answer.error is not None:
            raise QueryError(answer.error)
        return answer

    def _invoke(self, query: Query) -> bytes:
        try:
            answer = self._functions.invoke(
                FunctionName=self._name, Payload=query.model_dump_json().encode()
            )
        except ClientError as error:
            raise self._refusal(error) from error
        payload: bytes = answer["Payload"].read()
        if "FunctionError" in answer:
            raise self._failure(json.loads(payload))
        return payload

    def _refusal(self, error: ClientError) -> ClientError | DatabaseError:
        code = error.response["Error"]["Code"]
        if code == "AccessDeniedException":
            return DatabaseError(
                f"your AWS identity may not read the database: allow it lambda:InvokeFunction on "
                f"the function {self._name}"
            )
        if code == "TooManyRequestsException":
            return DatabaseAwayError(
                "Lambda throttles: all functions that the account may run at once are running; "
                "try again in a moment"
            )
        if code in ASLEEP:
            return DatabaseAwayError(
                f"the function {self._name} wakes up after weeks without a call; "
                "try again in a minute or two"
            )
        return error

    def _failure(self, fault: dict[str, Any]) -> DatabaseAwayError:
        message = fault["errorMessage"]
        if fault.get("errorType") in AWAY:
            return DatabaseAwayError(message)
        if fault.get("errorType") in KILLED:
            return DatabaseAwayError(
                f"the function {self._name} was killed ({message}): ask for less at once, because "
                "its memory most likely could not hold the result"
            )
        return DatabaseAwayError(f"the function {self._name} failed: {message}; its log says more")
