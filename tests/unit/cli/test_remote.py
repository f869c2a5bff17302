"""What becomes of what Lambda says when the function `queries` is invoked."""

import io
import json

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from botocore.stub import Stubber

from cli.remote import QueriesFunction
from shared.errors import DatabaseAwayError, DatabaseError, QueryError
from shared.queries import Query

QUESTION = Query(sql="SELECT 1")


@pytest.fixture
def functions(session):
    return session.client("lambda")


@pytest.fixture
def answer(functions):
    """Let Lambda answer once, with a payload or an error."""
    with Stubber(functions) as stub:

        def prepare(payload, **more):
            content = json.dumps(payload).encode()
            body = StreamingBody(io.BytesIO(content), len(content))
            stub.add_response("invoke", {"Payload": body, **more})

        prepare.error = lambda code: stub.add_client_error("invoke", code, "said so")
        yield prepare


@pytest.fixture
def remote(functions):
    return QueriesFunction(functions, "Queries-abc")


def test_rows_come_as_values(answer, remote):
    columns = [{"name": "n", "type_oid": 23}, {"name": "t", "type_oid": 25}]
    answer({"columns": columns, "rows": [["1", None]], "error": None})

    assert remote.run("SELECT 1, NULL") == [[1, None]]


def test_what_is_wrong_with_a_statement_is_passed_on(answer, remote):
    answer({"columns": [], "rows": [], "error": "syntax error (42601)"})

    with pytest.raises(QueryError, match=r"^syntax error \(42601\)$"):
        remote.read(QUESTION)


def test_who_may_not_invoke_it_reads_which_right_is_missing(answer, remote):
    answer.error("AccessDeniedException")

    with pytest.raises(DatabaseError, match="lambda:InvokeFunction on the function Q") as raised:
        remote.read(QUESTION)

    # Waiting would not help.
    assert not isinstance(raised.value, DatabaseAwayError)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("TooManyRequestsException", "Lambda throttles: .* try again in a moment"),
        ("ResourceNotReadyException", "wakes up after weeks .* try again in a minute"),
        ("ResourceConflictException", "wakes up after weeks .* try again in a minute"),
    ],
)
def test_what_passes_by_itself_is_a_database_that_is_away(answer, remote, code, words):
    answer.error(code)

    with pytest.raises(DatabaseAwayError, match=words):
        remote.read(QUESTION)


def test_any_other_refusal_of_lambda_is_left_as_it_is(answer, remote):
    answer.error("ResourceNotFoundException")

    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        remote.read(QUESTION)


def test_a_database_that_is_away_is_no_failed_function(answer, remote):
    fault = {"errorMessage": "no connection to Postgres", "errorType": "DatabaseAwayError"}
    answer(fault, FunctionError="Unhandled")

    with pytest.raises(DatabaseAwayError, match=r"^no connection to Postgres$"):
        remote.read(QUESTION)


@pytest.mark.parametrize(
    "fault",
    [
        {"errorMessage": "no such parameter", "errorType": "SettingsError"},
        {"errorMessage": "Task timed out after 90.00 seconds"},
    ],
    ids=["error", "timeout"],
)
def test_a_function_that_failed_is_named(answer, remote, fault):
    answer(fault, FunctionError="Unhandled")

    line = f"^the function Queries-abc failed: {fault['errorMessage']}; its log says more$"
    with pytest.raises(DatabaseAwayError, match=line):
        remote.read(QUESTION)


def test_a_function_that_was_killed_advises_a_smaller_result(answer, remote):
    fault = {"errorMessage": "signal: killed", "errorType": "Runtime.ExitError"}
    answer(fault, FunctionError="Unhandled")

    with pytest.raises(DatabaseAwayError, match=r"was killed .*: ask for less at once"):
        remote.read(QUESTION)
