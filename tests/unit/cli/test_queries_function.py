"""Answers and errors of the Lambda function `queries`."""

import io
import json

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from cli.queries_function import QueriesFunction
from shared.errors import DatabaseAwayError, DatabaseError, QueryError
from shared.queries import Query

QUERY = Query(sql="SELECT 1")


@pytest.fixture
def functions(session):
    return session.client("lambda")


class PreparedAnswer:
    """Prepares the next answer to `invoke`."""

    def __init__(self, stub):
        self._stub = stub

    def __call__(self, payload, **more):
        content = json.dumps(payload).encode()
        body = StreamingBody(io.BytesIO(content), len(content))
        self._stub.add_response("invoke", {"Payload": body, **more})

    def error(self, code):
        self._stub.add_client_error("invoke", code, "message")


@pytest.fixture
def answer(functions):
    """Prepare one answer of Lambda: a payload or an error."""
    with Stubber(functions) as stub:
        yield PreparedAnswer(stub)


@pytest.fixture
def remote(functions):
    return QueriesFunction(functions, "Queries-abc")


def test_rows_are_decoded_to_values(answer, remote):
    columns = [{"name": "n", "type_oid": 23}, {"name": "t", "type_oid": 25}]
    answer({"columns": columns, "rows": [["1", None]], "error": None})

    assert remote.run("SELECT 1, NULL") == [[1, None]]


def test_an_error_in_a_statement_is_passed_on(answer, remote):
    answer({"columns": [], "rows": [], "error": "syntax error (42601)"})

    with pytest.raises(QueryError, match=r"^syntax error \(42601\)$"):
        remote.read(QUERY)


def test_a_missing_right_to_invoke_is_named(answer, remote):
    answer.error("AccessDeniedException")

    with pytest.raises(DatabaseError, match="lambda:InvokeFunction on the function Q") as raised:
        remote.read(QUERY)

    # A retry would not help.
    assert not isinstance(raised.value, DatabaseAwayError)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("TooManyRequestsException", "Lambda throttles .* try again in a moment"),
        ("ResourceNotReadyException", "is starting again after weeks .* try again in a minute"),
        ("ResourceConflictException", "is starting again after weeks .* try again in a minute"),
    ],
)
def test_a_temporary_refusal_of_lambda_is_retryable(answer, remote, code, words):
    answer.error(code)

    with pytest.raises(DatabaseAwayError, match=words):
        remote.read(QUERY)


def test_any_other_refusal_of_lambda_is_unchanged(answer, remote):
    answer.error("ResourceNotFoundException")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        remote.read(QUERY)


def test_an_unavailable_database_is_reported_as_such(answer, remote):
    fault = {"errorMessage": "no connection to Postgres", "errorType": "DatabaseAwayError"}
    answer(fault, FunctionError="Unhandled")

    with pytest.raises(DatabaseAwayError, match=r"^no connection to Postgres$"):
        remote.read(QUERY)


@pytest.mark.parametrize(
    "fault",
    [
        {"errorMessage": "no such parameter", "errorType": "SettingsError"},
        {"errorMessage": "Task timed out after 90.00 seconds"},
    ],
    ids=["error", "timeout"],
)
def test_a_failed_function_is_named(answer, remote, fault):
    answer(fault, FunctionError="Unhandled")

    line = f"^the function Queries-abc failed: {fault['errorMessage']}; see its log$"
    with pytest.raises(DatabaseAwayError, match=line):
        remote.read(QUERY)


def test_a_killed_function_advises_a_smaller_result(answer, remote):
    fault = {"errorMessage": "signal: killed", "errorType": "Runtime.ExitError"}
    answer(fault, FunctionError="Unhandled")

    with pytest.raises(DatabaseAwayError, match=r"was killed .*: query fewer rows"):
        remote.read(QUERY)
