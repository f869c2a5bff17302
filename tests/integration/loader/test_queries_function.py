"""The function `queries`, from its environment to rows, with moto and a real Postgres."""

import json

import pytest

from services.loader.queries import ANSWER_TIMEOUT_S, handler, wire
from shared.errors import DatabaseAwayError, MessageError
from shared.postgres import QUERY_TIMEOUT_S
from tests.unit.loader.loader_examples import CONTEXT

BACKENDS = "SELECT pid::text FROM pg_stat_activity WHERE usename = 'reader' ORDER BY pid"


@pytest.fixture(autouse=True)
def function(database, deployment):
    """Deploy the function; return what a test may change."""
    deployment.know("reader")
    return deployment


def ask(sql, **parameters):
    answer = handler({"sql": sql, "parameters": parameters}, CONTEXT)
    return json.loads(json.dumps(answer))


def test_a_query_returns_typed_columns_and_values_as_text():
    assert ask("SELECT :who::text AS who, 1 AS one", who="me") == {
        "columns": [{"name": "who", "type_oid": 25}, {"name": "one", "type_oid": 23}],
        "rows": [["me", "1"]],
        "error": None,
    }


def test_query_parameters_are_optional():
    assert handler({"sql": "SELECT 1"}, CONTEXT)["rows"] == [["1"]]


def test_queries_run_as_role_reader():
    assert ask("SELECT current_user")["rows"] == [["reader"]]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELEC 1", "syntax error"),
        ("SELECT 1; SELECT 2", "multiple commands"),
        ("INSERT INTO poll (origin) VALUES ('a') RETURNING 1", "read-only transaction"),
        ("SELECT repeat('x', 6000000)", "larger than 5 MB"),
    ],
)
def test_a_refused_sql_statement_is_returned_as_an_error(sql, reason):
    answer = ask(sql)

    assert reason in answer["error"]
    assert (answer["columns"], answer["rows"]) == ([], [])
    assert ask("SELECT 1")["rows"] == [["1"]]


@pytest.mark.parametrize(
    "event", [{}, {"sql": 1}, {"sql": "SELECT 1", "parameters": []}, []], ids=str
)
def test_a_malformed_query_event_fails_with_the_reason(event):
    with pytest.raises(MessageError, match="the event is not a query"):
        handler(event, CONTEXT)


def test_a_second_invocation_reuses_the_connection(database):
    ask("SELECT 1")
    first = ask(BACKENDS)["rows"]

    assert ask(BACKENDS)["rows"] == first
    assert len(first) == 1


def test_a_query_that_breaks_a_fresh_connection_is_not_retried():
    tries = []

    def work(database):
        tries.append(database.run("SELECT pg_backend_pid()"))
        raise DatabaseAwayError("the server crashed")

    with pytest.raises(DatabaseAwayError, match="the server crashed"):
        wire().run(work)

    assert len(tries) == 1
    assert ask("SELECT 1")["rows"] == [["1"]]


def test_an_unavailable_database_fails_the_invocation(function):
    function.know("reader", port=1)

    with pytest.raises(DatabaseAwayError, match="no connection to Postgres"):
        ask("SELECT 1")


def test_the_query_timeout_is_below_the_socket_timeout():
    assert QUERY_TIMEOUT_S < ANSWER_TIMEOUT_S
