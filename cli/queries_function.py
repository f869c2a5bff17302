"""Read Postgres on AWS through the Lambda function `queries`, without a network path to it."""

import json
from typing import Any

from botocore.exceptions import ClientError

from shared.aws import error_code
from shared.errors import DatabaseAwayError, DatabaseError, QueryError
from shared.queries import Answer, Query, Result
from shared.query_texts import decode, encode

ASLEEP = ("ResourceNotReadyException", "ResourceConflictException")
"""Errors after weeks without a call, when Lambda has reclaimed a function's network interfaces."""
AWAY = ("DatabaseAwayError", "DatabaseLoginError")
"""The function's errors about Postgres; their messages are shown unchanged."""
KILLED = ("Runtime.ExitError", "Runtime.OutOfMemory")
"""Lambda's errors for a function that ran out of memory: one large value is enough."""


class QueriesFunction:
    """A reader of Postgres, with the rights of role reader.

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
            QueryError: The statement is invalid, or exceeds a limit.
            DatabaseAwayError: Postgres or the function is unavailable.
            DatabaseError: The caller may not invoke the function.
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
        code = error_code(error)
        if code == "AccessDeniedException":
            return DatabaseError(
                "your AWS identity may not read the database: allow it lambda:InvokeFunction on "
                f"the function {self._name}"
            )
        if code == "TooManyRequestsException":
            return DatabaseAwayError(
                "Lambda throttles the call, because the account's concurrency limit is reached: "
                "try again in a moment"
            )
        if code in ASLEEP:
            return DatabaseAwayError(
                f"the function {self._name} is starting again after weeks without a call: "
                "try again in a minute or two"
            )
        return error

    def _failure(self, fault: dict[str, Any]) -> DatabaseAwayError:
        message = fault["errorMessage"]
        if fault.get("errorType") in AWAY:
            return DatabaseAwayError(message)
        if fault.get("errorType") in KILLED:
            return DatabaseAwayError(
                f"the function {self._name} was killed ({message}), most likely because the result "
                "exceeded its memory: query fewer rows or columns at once"
            )
        return DatabaseAwayError(
            f"the function {self._name} failed: {message}; `plays logs queries` shows its log"
        )
