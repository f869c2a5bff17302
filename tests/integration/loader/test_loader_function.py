"""The function `loader`, from its environment to rows, with moto and a real Postgres."""

import boto3
import pytest

from services.loader.handler import handler
from services.loader.settings import DatabaseSettings, find_database
from shared.errors import DatabaseAwayError, DatabaseLoginError, SettingsError
from shared.models import FileProblem, UploadReport
from tests.integration.shared.tls_server import a_certificate
from tests.unit.loader.loader_examples import (
    CONTEXT,
    EXPORT,
    a_batch,
    a_play,
    an_event,
    failures,
    plays_apart,
)

BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE usename = 'loader' AND pid <> pg_backend_pid() ORDER BY pid
"""
KILL = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE usename = 'loader' AND pid <> pg_backend_pid()
"""


def run(*bodies):
    return failures(handler(an_event(*bodies), CONTEXT))


def origins(database):
    return [origin for (origin,) in database.run("SELECT origin FROM loaded_batch ORDER BY origin")]


@pytest.fixture
def function(database, deployment):
    """Deploy the function; return what a test may change."""
    deployment.know("loader")
    return deployment


def test_each_play_of_a_message_is_stored_as_a_row(function, database):
    batch = a_batch(a_play(0.123), a_play(3_600, "b"))

    assert run(batch) == []
    assert database.run("SELECT track_uri, played_at FROM listening_history ORDER BY id") == [
        [play.track_uri, play.played_at] for play in batch.plays
    ]


def test_a_redelivered_message_stores_no_row_twice(function, database):
    run(a_batch(a_play()))
    before = database.run("SELECT * FROM listening_history"), database.run("TABLE loaded_batch")

    assert run(a_batch(a_play())) == []
    assert database.run("SELECT * FROM listening_history") == before[0]
    assert database.run("TABLE loaded_batch") == before[1]


@pytest.mark.parametrize(
    "refused",
    [
        a_batch(a_play(), number=2**31),
        a_batch(a_play(), origin="".join(map(chr, range(0x4E00, 0x4E00 + 2_000)))),
        a_batch(
            a_play(),
            report=UploadReport(
                rows_in=1, published=1, batches=1,
                problems=(FileProblem(file="a\x00.json", reason="no JSON"),),
            ),
        ),
        a_batch(a_play(), report=UploadReport(rows_in=2**40, published=1, batches=1)),
    ],
    ids=["number", "origin", "NUL in a report", "count in a report"],
)  # fmt: skip
def test_only_messages_that_cannot_be_parsed_or_stored_fail(function, database, refused):
    one, two, three = (a_batch(play, origin=play.track_uri) for play in plays_apart(3))

    assert run(one, "{", two, refused, three) == ["m1", "m3"]
    assert origins(database) == [one.origin, two.origin, three.origin]
    assert database.run("SELECT count(*) FROM listening_history") == [[3]]


def test_a_second_invocation_reuses_the_connection(function, database):
    run(a_batch(a_play()))
    first = database.run(BACKENDS)

    run(a_batch(a_play(), number=1))

    assert len(first) == 1
    assert database.run(BACKENDS) == first


def test_a_dead_connection_of_a_warm_function_is_replaced(function, database):
    run(a_batch(a_play()))
    database.run(KILL)

    assert run(a_batch(a_play(3_600), number=1)) == []
    assert database.run("SELECT count(*) FROM listening_history") == [[2]]


def test_a_password_that_postgres_rejects_is_read_again_from_ssm(function, database):
    function.know("loader", password="older")  # noqa: S106 - no password of anything
    assert find_database(DatabaseSettings.from_environment()).password == "older"  # noqa: S105 - likewise
    function.know("loader")

    assert run(a_batch(a_play())) == []


def test_a_password_that_works_is_read_from_ssm_only_once(function, database):
    run(a_batch(a_play()))
    function.say("no login at all")
    database.run(KILL)

    assert run(a_batch(a_play(3_600), number=1)) == []


def test_a_wrong_password_fails_the_invocation(function, database):
    function.know("loader", password="wrong")  # noqa: S106 - no password of anything

    with pytest.raises(DatabaseLoginError):
        run(a_batch(a_play()))

    assert origins(database) == []


def test_an_unavailable_server_fails_the_invocation_until_it_returns(function, database, free_port):
    function.know("loader", port=1)
    with pytest.raises(DatabaseAwayError):
        run(a_batch(a_play()))
    function.know("loader", port=free_port)
    with pytest.raises(DatabaseAwayError):
        run(a_batch(a_play()))  # the login that is at hand still says 1

    found = find_database(DatabaseSettings.from_environment(), force=True)

    assert found.port == free_port
    assert run(a_batch(a_play())) == []


def test_a_missing_table_fails_the_invocation(function, database, owner):
    owner.run("ALTER TABLE loaded_batch RENAME TO not_yet")

    try:
        with pytest.raises(DatabaseAwayError, match="42P01"):
            run(a_batch(a_play()))
    finally:
        owner.run("ALTER TABLE not_yet RENAME TO loaded_batch")

    assert run(a_batch(a_play())) == []


@pytest.mark.parametrize(("window_s", "rows"), [("90", 1), ("10", 2)])
def test_the_match_window_comes_from_the_environment(
    function, database, monkeypatch, window_s, rows
):
    monkeypatch.setenv("MATCH_WINDOW_S", window_s)

    run(
        a_batch(a_play(0)),
        a_batch(a_play(60, ms_played=180_000), source=EXPORT, origin="history/me/a.zip"),
    )

    assert database.run("SELECT count(*) FROM listening_history") == [[rows]]


@pytest.mark.parametrize("variable", ["DATABASE_LOGIN_PARAMETER", "DATABASE_HOST_PARAMETER"])
def test_a_missing_ssm_parameter_is_named_in_the_error(function, monkeypatch, variable):
    monkeypatch.setenv(variable, "/no/such/thing")

    with pytest.raises(SettingsError, match="cannot read the database's address and login"):
        find_database(DatabaseSettings.from_environment())


def test_setting_a_ca_parameter_turns_tls_on(function, monkeypatch):
    boto3.client("ssm").put_parameter(
        Name="/ca", Value=a_certificate("database.example").pem, Type="String"
    )
    monkeypatch.setenv("DATABASE_CA_PARAMETER", "/ca")

    with pytest.raises(DatabaseAwayError, match="refuses SSL"):
        run(a_batch(a_play()))
