"""Read-only queries: their limits, their errors, and the texts of their results."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from shared import postgres
from shared.errors import DatabaseAwayError, QueryError
from shared.postgres import Database
from shared.queries import Query, Result
from shared.query_texts import decode, encode


@pytest.fixture
def reader(owner, address_of):
    database = Database.connect(address_of("reader"))
    yield database
    database.close()


def texts(database, sql, **parameters):
    return database.read(Query(sql=sql, parameters=parameters)).rows


def by_json(database, sql, **parameters):
    """Run a query as the function does: the request and the answer pass through JSON."""
    query = Query.model_validate_json(json.dumps({"sql": sql, "parameters": encode(parameters)}))
    return decode(Result.model_validate_json(database.read(query).model_dump_json()))


@pytest.mark.parametrize(
    "value",
    [
        "1", "-9223372036854775808", "1.50::numeric", "'NaN'::numeric", "0.1::float8",
        "1.5::float4",
        "true", "NULL", "'素敵 \"滅法\" \\ '''", "''", "'2026-07-01T12:00:00.005Z'::timestamptz",
        "'2026-07-01'::date", "'infinity'::date", "'2026-07-01 12:00:00'::timestamp",
        "'12:30:01.5'::time", "interval '1 day 2 hours'", "'{\"a\": [1, null]}'::jsonb",
        "'[1]'::json", "ARRAY['a', NULL, 'b,c']", "ARRAY[1, 2]", "'\\x00ff'::bytea",
        "'6f9619ff-8b86-d011-b42d-00c04fc964ff'::uuid", "'10.0.0.1'::inet", "'a'::name", "(1, 'b')",
        "int4range(1, 5)",
    ],
)  # fmt: skip
def test_a_value_decoded_from_text_equals_a_direct_connections_value(reader, value):
    direct = reader.run(f"SELECT {value}")

    ((answer,),) = by_json(reader, f"SELECT {value}")

    assert repr(answer) == repr(direct[0][0])


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "素敵 :name \\ \" '"),
        ("text", None),
        ("integer", 7),
        ("bigint", 2**62),
        ("boolean", False),
        ("float8", 0.1),
        ("numeric", Decimal("1.50")),
        ("timestamptz", datetime(2026, 7, 1, 12, 0, 0, 5_000, tzinfo=UTC)),
        ("date", date(2026, 7, 1)),
        ("interval", timedelta(days=1, seconds=2)),
        ("text[]", ["a", None, 'b,"c']),
        ("integer[]", [1, 2]),
        ("jsonb", {"a": [1, None]}),
    ],
)
def test_a_json_encoded_parameter_acts_as_in_a_direct_connection(reader, kind, value):
    assert by_json(reader, f"SELECT :value::{kind}", value=value) == [[value]]


def test_a_query_parameter_can_have_any_json_type(reader):
    sql = "SELECT :number::integer + 1, :flag::boolean, :names::text[], :nothing::text"

    answer = texts(reader, sql, number=1, flag=True, names=["a", "b"], nothing=None)

    assert answer == [["2", "t", "{a,b}", None]]


def test_a_query_returns_column_names_and_types(reader):
    result = reader.read(Query(sql="SELECT 1 AS one, 'a'::text AS name WHERE false"))

    assert [(column.name, column.type_oid) for column in result.columns] == [
        ("one", 23),
        ("name", 25),
    ]
    assert result.rows == []


@pytest.mark.parametrize("statement", ["SELECT 1;", "SHOW server_version", "EXPLAIN SELECT 1"])
def test_select_show_and_explain_are_allowed(reader, statement):
    assert len(texts(reader, statement)) == 1


@pytest.mark.parametrize("parameters", [{}, {"a": "1"}], ids=["bare", "with a parameter"])
def test_several_sql_statements_in_one_query_are_refused(reader, parameters):
    with pytest.raises(QueryError, match="multiple commands"):
        texts(reader, f"SELECT {':a' if parameters else '1'}; SELECT 2", **parameters)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("INSERT INTO poll (origin) VALUES ('a') RETURNING 1", "read-only transaction"),
        ("WITH d AS (DELETE FROM poll RETURNING 1) TABLE d", "read-only transaction"),
        ("DELETE FROM poll", "returns no rows"),
        ("SET transaction_read_only = off", "returns no rows"),
        ("DO $$ BEGIN PERFORM 1; END $$", "returns no rows"),
        ("COPY poll TO STDOUT", "returns no rows"),
        ("COMMIT", "returns no rows"),
        ("", "returns no rows"),
    ],
)
def test_a_sql_statement_that_writes_is_refused(database, statement, reason):
    # As role loader, which may write.
    with pytest.raises(QueryError, match=reason):
        texts(database, statement)

    assert texts(database, "SELECT 1") == [["1"]]


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("SELECT x FROM poll", r'^column "x" does not exist at character 8 \(42703\)$'),
        ("SELECT lister FROM poll", r"; hint: Perhaps you meant .* \(42703\)$"),
        ("SELECT 1/0", r"^division by zero \(22012\)$"),
        ("SELECT $1::text", r"bind message supplies 0 parameters"),
        ("SELECT 1\x00", r"08P01"),
    ],
)
def test_the_error_text_of_postgres_is_returned(reader, statement, line):
    with pytest.raises(QueryError, match=line):
        texts(reader, statement)

    assert texts(reader, "SELECT 1") == [["1"]]


def test_a_colon_in_a_slice_or_comment_is_not_a_parameter(reader):
    assert texts(reader, "SELECT (ARRAY[1, 2, 3])[1:2] /* 10:30 */") == [["{1,2}"]]


@pytest.mark.parametrize("statement", ["SELECT :who", "SELECT :who:", "SELECT :stream"])
def test_a_placeholder_without_a_parameter_is_refused(reader, statement):
    with pytest.raises(QueryError, match="laceholder"):
        texts(reader, statement, other="a")


@pytest.mark.parametrize(
    ("leaves", "trace"),
    [
        ("SELECT pg_advisory_lock(7)", "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
        (
            "SELECT set_config('statement_timeout', '0', false)",
            "SELECT count(*) FROM pg_settings WHERE name = 'statement_timeout' AND setting = '0'",
        ),
        ("SELECT 1", "SELECT count(*) - 1 FROM pg_prepared_statements"),
    ],
    ids=["advisory lock", "setting", "prepared statement"],
)
def test_a_query_leaves_no_lock_setting_or_prepared_statement(reader, leaves, trace):
    texts(reader, leaves)

    assert texts(reader, trace) == [["0"]]


def test_repeated_queries_do_not_accumulate_prepared_statements(reader):
    sql = "SELECT name FROM pg_prepared_statements"
    first = texts(reader, sql)

    assert [texts(reader, sql) for _ in range(3)] == [first] * 3


def test_a_query_is_cancelled_at_its_time_limit(reader, monkeypatch):
    monkeypatch.setattr(postgres, "QUERY_TIMEOUT_S", 1)

    with pytest.raises(QueryError, match="statement timeout: a query has 1 s, so read less"):
        texts(reader, "SELECT pg_sleep(3)")

    assert texts(reader, "SELECT 1") == [["1"]]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT repeat('x', 1000) FROM generate_series(1, 1200)",
        "SELECT repeat('x', 1200000)",
        "SELECT repeat('\"', 520000)",
        "SELECT NULL FROM generate_series(1, 200000)",
        "SELECT FROM generate_series(1, 400000)",
    ],
    ids=["many rows", "a large value", "escaped characters", "nulls", "no columns"],
)
def test_the_error_of_a_result_that_is_too_large_says_how_to_page(reader, statement, monkeypatch):
    # 5 MB of rows without columns take longer than a query may on a slow machine.
    monkeypatch.setattr(postgres, "MOST_BYTES", 1_000_000)

    with pytest.raises(QueryError, match=r"larger than 5 MB: .* ORDER BY id LIMIT 10000 OFFSET"):
        texts(reader, statement)


def test_the_result_size_limit_counts_json_bytes(reader, monkeypatch):
    monkeypatch.setattr(postgres, "MOST_BYTES", 1_000)
    sql = "SELECT '素\"', NULL FROM generate_series(1, {})"

    def fits(rows):
        try:
            found = texts(reader, sql.format(rows))
        except QueryError:
            return False
        return len(json.dumps(found, ensure_ascii=False).encode()) <= 1_000

    assert fits(58)
    with pytest.raises(QueryError):
        texts(reader, sql.format(59))


def test_after_a_result_that_is_too_large_the_connection_is_closed(reader):
    with pytest.raises(QueryError):
        texts(reader, "SELECT repeat('x', 1000) FROM generate_series(1, 6000)")

    with pytest.raises(DatabaseAwayError, match="connection is closed"):
        texts(reader, "SELECT 1")


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("SELECT set_config('client_encoding', 'LATIN1', false), chr(228)", {}),
        ("SELECT :text", {"text": "\ud800"}),
    ],
    ids=["result", "parameter"],
)
def test_a_value_that_is_not_utf_8_fails_the_query(reader, statement, parameters):
    with pytest.raises(QueryError, match="not UTF-8"):
        texts(reader, statement, **parameters)

    with pytest.raises(DatabaseAwayError):
        texts(reader, "SELECT 1")


def test_a_connection_closed_by_the_server_raises_database_away_error(reader):
    with pytest.raises(DatabaseAwayError):
        texts(reader, "SELECT pg_terminate_backend(pg_backend_pid())")
