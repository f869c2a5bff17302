"""Answers and errors of the Lambda function `queries`."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.queries_function import QueriesFunction
from shared.errors import DatabaseAwayError, DatabaseError, QueryError
from shared.queries import Query
from tests.unit.cli.conftest import InvokedTarget

QUERY = Query(sql="SELECT 1")


def a_function(answer) -> Any:
    """Return a reader of a function that gives one answer."""
    return QueriesFunction(InvokedTarget("queries", answer), "queries")


def a_failure(**fault):
    return fault | {"response": {"FunctionError": "Unhandled"}}


def a_refusal(code):
    return ClientError({"Error": {"Code": code}}, "Invoke")


def test_rows_are_decoded_to_python_values():
    columns = [{"name": "n", "type_oid": 23}, {"name": "t", "type_oid": 25}]
    function = a_function({"columns": columns, "rows": [["1", None]], "error": None})

    assert function.run("SELECT 1, NULL") == [[1, None]]


def test_the_error_of_an_invalid_statement_is_passed_on():
    answer = {"columns": [], "rows": [], "error": "syntax error (42601)"}

    with pytest.raises(QueryError, match=r"^syntax error \(42601\)$"):
        a_function(answer).read(QUERY)


def test_an_access_error_names_the_missing_permission():
    function = a_function(a_refusal("AccessDeniedException"))

    with pytest.raises(DatabaseError, match="lambda:InvokeFunction on the function q") as raised:
        function.read(QUERY)

    # A retry would not help.
    assert not isinstance(raised.value, DatabaseAwayError)


def test_any_other_error_from_lambda_is_raised_unchanged():
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        a_function(a_refusal("ResourceNotFoundException")).read(QUERY)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (a_refusal("TooManyRequestsException"), "Lambda throttles .* try again in a moment"),
        (a_refusal("ResourceNotReadyException"), "is starting again .* in a minute or two"),
        (a_refusal("ResourceConflictException"), "is starting again .* in a minute or two"),
        (
            a_failure(errorType="DatabaseAwayError", errorMessage="no connection to Postgres"),
            "^no connection to Postgres$",
        ),
        (
            a_failure(errorType="SettingsError", errorMessage="no such parameter"),
            "^the function queries failed: no such parameter; `plays logs queries` shows its log$",
        ),
        (
            a_failure(errorMessage="Task timed out after 90.00 seconds"),
            r"^the function queries failed: Task timed out .*; `plays logs queries` shows its log$",
        ),
        (
            a_failure(errorType="Runtime.ExitError", errorMessage="signal: killed"),
            "was killed .*: query fewer rows",
        ),
    ],
    ids=[
        *("throttled", "asleep", "waking up", "Postgres away"),
        *("failed", "timed out", "out of memory"),
    ],
)
def test_a_failed_function_raises_database_away_error(answer, words):
    with pytest.raises(DatabaseAwayError, match=words):
        a_function(answer).read(QUERY)
